#pragma once
#include <filesystem>
#include <memory>

#include <attnlab/cli/checkpoint_data.hpp>
#include <attnlab/cli/family_model.hpp>

namespace attnlab {

/// A checkpoint's model with its weights, and the data that its settings name.
struct open_checkpoint {
    data_source data;
    std::unique_ptr<any_model> model;

    /// \throws error naming the file, or when the data have more tokens than the model
    open_checkpoint(experiment const& e, checkpoint_run const& run, std::filesystem::path const& path) : data(data_of(run)) {
        data.expect_known(run.settings.model.vocab_size);
        model = make_model(e, run.settings, path);
        load_weights(safetensors_reader(path), model->parameters());
    }
};

}  // namespace attnlab
