#pragma once
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <attnlab/cli/checkpoint_model.hpp>
#include <attnlab/cli/family_model.hpp>
#include <attnlab/cli/open_folder.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/new_folder.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/models/trained/load.hpp>

/// \file
/// `attnlab convert` of a run that trained a Hugging Face family under its own attention: such a folder again, for every other
/// tool.

namespace attnlab {

/// \param run  of a family \param out  a new folder: config.json, model.safetensors in float32, the files of the tokeniser
/// \throws error where the policy is not the family's, or naming what cannot be read or written
inline void convert_to_folder(experiment const& e, checkpoint_run const& run, std::filesystem::path const& path,
                              std::filesystem::path const& out) {
    if (e.card.name != "softmax")
        fail(path.string(), ": its policy is ", e.card.name,
             ": expected softmax, the attention that other tools compute for this family");
    json config = parse_json_text(run.settings.family, path.string() + ": family");
    for (auto const* name : {"torch_dtype", "dtype"})
        if (config.contains(name)) config[name] = "float32";
    safetensors_reader const file(path);
    auto const turned = turned_matrices(read_family(run.settings.family, path, true));
    std::vector<buffer<float>> values;
    values.reserve(file.tensors().size());
    safetensors_writer weights;
    weights.metadata = {{"format", "pt"}};
    for (auto const& t : file.tensors()) {
        if (detail::is_optimizer_array(t.name)) continue;
        values.emplace_back(static_cast<std::size_t>(t.size()));
        auto shape = t.shape;
        if (turned.contains(t.name)) {
            detail::read_turned(t, std::span(values.back()));
            std::swap(shape[0], shape[1]);
        } else {
            t.read(values.back().data(), 0, t.size());
        }
        weights.add(t.name, shape, std::span<float const>(values.back()));
    }
    write_folder_atomically(out, [&](std::filesystem::path const& folder) {
        write_atomically(folder / "config.json", [&](std::ostream& to) { to << config.dump(2) << '\n'; });
        weights.write(folder / "model.safetensors");
        auto const& words = run.settings.tokenizer;
        for (auto const* name : {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
                                 "added_tokens.json", "vocab.json", "merges.txt"})
            if (std::filesystem::is_directory(words) && std::filesystem::exists(words / name))
                std::filesystem::copy_file(words / name, folder / name);
    });
    auto const model = open_folder(out);  // as every command will
    std::cout << out.string() << ": " << model->facts().family << ", " << model->facts().parameters
              << " parameters in float32, step " << run.state.iteration << '\n';
}

}  // namespace attnlab
