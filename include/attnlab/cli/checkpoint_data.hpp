#pragma once
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include <attnlab/cli/checkpoint_model.hpp>
#include <attnlab/cli/data_source.hpp>
#include <attnlab/io/fingerprint.hpp>

/// \file
/// The data that a checkpoint is measured on: those of its training, wherever they are now, or another text.

namespace attnlab {

/// Paths given in place of a run's own; empty: its own.
struct data_paths {
    std::filesystem::path text, tokenizer, data_dir;
};

inline void declare(option_table& o, data_paths& d) {
    o.add("text", d.text, "measure on the last 10 % of this text, by the run's tokens; nothing: on the data of training");
    o.add("tokenizer", d.tokenizer, "where the run's tokeniser is now; nothing: where it was");
    o.add("data_dir", d.data_dir, "where the run's token files are now; nothing: where they were");
}

/// \throws usage_error where the run has no use for a path
inline void use_data(checkpoint_run& run, data_paths const& d) {
    auto& s = run.settings;
    if (!d.text.empty()) {
        if (s.task != "text") fail<usage_error>("--text: expected a checkpoint that was trained on a text; this one's task is ", s.task);
        s.text = d.text, run.data_file.clear();
    }
    if (!d.tokenizer.empty()) {
        if (s.tokenizer.empty()) fail<usage_error>("--tokenizer: expected a checkpoint that was trained with one");
        s.tokenizer = d.tokenizer;
    }
    if (!d.data_dir.empty()) {
        if (s.task != "tokens") fail<usage_error>("--data_dir: expected a checkpoint that was trained on files of tokens; this one's task is ", s.task);
        s.data_dir = d.data_dir;
    }
}

namespace detail {

inline void expect_there(std::filesystem::path const& path, char const* option) {
    require(path.empty() || std::filesystem::exists(path), path.string(), ": not there: expected what the run was trained on; --", option, " says where it is now");
}

}  // namespace detail

/// The tokeniser of a run, or null. \throws error naming the file
inline std::shared_ptr<tokenizer const> words_of(run_settings const& s) {
    detail::expect_there(s.tokenizer, "tokenizer");
    return s.tokenizer.empty() ? nullptr : open_tokenizer(s.tokenizer);
}

/// A run's data. Says on standard error, in a line, when they are not those it was trained on. \throws error naming the file
inline data_source data_of(checkpoint_run const& run) {
    auto const& s = run.settings;
    if (s.task == "text") detail::expect_there(s.text, "text"), detail::expect_there(s.tokenizer, "tokenizer");
    if (s.task == "tokens") detail::expect_there(s.data_dir, "data_dir");
    auto const file = held_out_file(s);
    if (auto const now = run.data_file.empty() ? std::string() : fingerprint(file); now != run.data_file)
        std::cerr << "warning: " << file.string() << ": changed since the run was trained (" << run.data_file << ", now " << now << "): its loss is of other tokens" << std::endl;
    return data_source(s, run.code_points);
}

}  // namespace attnlab
