#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <attnlab/cli/experiment.hpp>
#include <attnlab/cli/run_settings.hpp>

/// \file
/// Decoders of Hugging Face families as models to train. Compiled once, beside the commands (cli/pretrained_models.hpp).

namespace attnlab {

/// The description that a config.json makes. \param config  its text \param weights  the folder or the checkpoint with its
/// tensors \param as_in_folders  say of a checkpoint too which matrices folders store (in, out); it has all (out, in) \throws
/// error, one line that names file and field
decoder_description read_family(std::string const& config, std::filesystem::path const& weights, bool as_in_folders = false);

/// A family's decoder under a policy, its values not yet read. \param config, weights  as above; memory is taken when shapes
/// agree \throws error that names file and field or tensor, usage_error where the policy is not compiled for the family or the device is not to
/// be had
std::unique_ptr<any_model> make_family_model(experiment const& e, std::string const& config, std::filesystem::path const& weights,
                                             gpt_config const& run, std::string const& device);

/// Reads what a family's folder has, all but what the policy learns; gives back the names of tensors that nobody knows.
/// \throws error that names file and tensor
std::vector<std::string> read_family_weights(any_model& model, std::filesystem::path const& folder);

/// The model of a run: a GPT, or the decoder whose config.json the settings hold. \param weights  where the tensors of such a
/// decoder are
inline std::unique_ptr<any_model> make_model(experiment const& e, run_settings const& s, std::filesystem::path const& weights) {
    if (s.family.empty()) return e.make_model(s.model, s.device);
    return make_family_model(e, s.family, weights, s.model, s.device);
}

}  // namespace attnlab
