#pragma once
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <attnlab/cli/checkpoint_model.hpp>
#include <attnlab/cli/open_folder.hpp>
#include <attnlab/cli/run_settings.hpp>
#include <attnlab/models/hf_gpt2.hpp>
#include <attnlab/train/checkpoint.hpp>

/// \file
/// `attnlab train --init_from MODEL`: weights that somebody trained, under the same attention or another. What the policy adds starts as it
/// would in a new model.

namespace attnlab {

namespace detail {

/// Sets an option that follows from the model; one that was given must agree.
template <class T>
void follow(option_table const& given, char const* name, T& value, T const& from, std::filesystem::path const& model) {
    if (given.given(name) && value != from) fail<usage_error>("--", name, ": ", value, ": expected ", from, ", as in ", model.string());
    value = from;
}

}  // namespace detail

/// The sizes of the model at `s.init_from`, a GPT-2 folder of Hugging Face or an own run. \throws usage_error where options disagree
inline void take_sizes(run_settings& s, option_table const& given) {
    auto const& at = s.init_from;
    bool const is_folder = is_model_folder(at);
    run_settings from;
    if (is_folder) {
        from.model = read_hf_gpt2_config(at);
        from.gelu = from.model.gelu == gelu_form::tanh ? "tanh" : "exact";
        if (has_tokenizer(at)) from.tokenizer = at;
    } else {
        from = read_checkpoint_run(checkpoint_path(at)).settings;
    }
    auto& m = s.model;
    using detail::follow;
    follow(given, "n_layer", m.n_layer, from.model.n_layer, at);
    follow(given, "n_head", m.n_head, from.model.n_head, at);
    follow(given, "n_kv_head", m.n_kv_head, from.model.n_kv_head, at);
    follow(given, "n_embd", m.n_embd, from.model.n_embd, at);
    follow(given, "bias", m.bias, from.model.bias, at);
    follow(given, "tied", m.tied, from.model.tied, at);
    follow(given, "layer_norm_eps", m.layer_norm_eps, from.model.layer_norm_eps, at);
    follow(given, "vocab_size", m.vocab_size, from.model.vocab_size, at);
    follow(given, "gelu", s.gelu, from.gelu, at);
    if (given.given("block_size") && m.block_size > from.model.block_size)
        fail<usage_error>("--block_size: ", m.block_size, ": expected at most ", from.model.block_size, ", the positions of ", at.string());
    if (!given.given("block_size")) m.block_size = from.model.block_size;
    if (!given.given("tokenizer")) s.tokenizer = from.tokenizer;
    if (!is_folder && !given.given("level")) s.level = from.level;
}

/// Fills the parameters that the model at `s.init_from` has; names and shapes must agree. Says on standard error what starts anew and what was
/// left behind: the parameters of either attention.
inline void take_weights(run_settings const& s, parameter_list<float>& parameters) {
    weights_taken taken;
    if (is_model_folder(s.init_from))
        taken.fresh = load_hf_gpt2_weights(s.init_from, parameters);
    else
        taken = load_shared_weights(safetensors_reader(checkpoint_path(s.init_from)), parameters);
    if (s.progress == "none") return;
    auto const say = [&](std::vector<std::string> const& names, char const* what) {
        if (!names.empty()) std::cerr << s.init_from.string() << ": " << what << ": " << detail::first_few(names) << '\n';
    };
    say(taken.fresh, "has none of, so they start anew");
    say(taken.left, "has besides, which this attention does not");
}

}  // namespace attnlab
