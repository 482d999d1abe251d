#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include <attnlab/cli/inspect_file.hpp>
#include <attnlab/cli/open_folder.hpp>
#include <attnlab/data/tokenizer/load.hpp>
#include <attnlab/models/model_folder.hpp>

/// \file
/// What `attnlab inspect` finds out about a model's folder and its tokeniser.

namespace attnlab {

inline inspection inspect_tokenizer(std::filesystem::path const& path) {
    auto const t = load_tokenizer(path);
    inspection out{"tokeniser", {{"vocabulary", t->size()}}, {}};
    if (auto const id = t->bos()) out.facts["begin"] = t->piece(*id);
    if (auto const id = t->eos()) out.facts["end"] = t->piece(*id);
    return out;
}

namespace detail {

inline bool has_tokenizer(std::filesystem::path const& folder) {
    for (auto const* name : {"tokenizer.json", "tokenizer.model", "vocab.json"})
        if (std::filesystem::exists(folder / name)) return true;
    return false;
}

}  // namespace detail

/// A Hugging Face folder: opened as for an analysis, so what is sound here runs there.
/// \throws error naming file and field, or file and tensor
inline inspection inspect_model_folder(std::filesystem::path const& path, inspect_options const& options) {
    auto const model = open_folder(path);
    auto const& m = model->facts();
    inspection out{"model folder", json::object(), model->warnings()};
    out.facts = {{"family", m.family}, {"attention", m.attention}};
    for (auto const& [name, size] : std::initializer_list<std::pair<char const*, index_t>>{{"layers", m.layers},
                                                                                           {"width", m.width},
                                                                                           {"heads", m.heads},
                                                                                           {"kv_heads", m.kv_heads},
                                                                                           {"head_size", m.head_size},
                                                                                           {"mlp_width", m.mlp_width},
                                                                                           {"experts", m.experts},
                                                                                           {"vocabulary", m.vocabulary},
                                                                                           {"longest", m.longest}})
        if (size > 0) out.facts[name] = size;

    model_folder const files(path);
    std::vector<stored_tensor> tensors;
    for (auto const& name : files.names()) tensors.push_back(files.tensor(name));
    out.facts["files"] = files.files();
    detail::describe_tensors(tensors, out);
    out.facts["parameters"] = m.parameters;
    detail::look_at_values(tensors, options, out);
    if (detail::has_tokenizer(path)) {
        auto const words = inspect_tokenizer(path).facts;
        out.facts["tokeniser"] = words;
        if (words["vocabulary"].get<index_t>() > m.vocabulary)
            out.warnings.push_back(text(path.string(), ": the tokeniser has ", words["vocabulary"].get<index_t>(),
                                        " tokens, the model ", m.vocabulary));
    } else {
        out.facts["tokeniser"] = "none";
    }
    out.facts["sites"] = m.sites;
    return out;
}

}  // namespace attnlab
