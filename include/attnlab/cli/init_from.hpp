#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <attnlab/cli/checkpoint_model.hpp>
#include <attnlab/cli/family_model.hpp>
#include <attnlab/cli/open_folder.hpp>
#include <attnlab/models/hf_gpt2.hpp>

/// \file
/// `attnlab train --init_from MODEL`: weights that somebody trained, under the same attention or another. What the policy adds
/// starts as it would in a new model.

namespace attnlab {

namespace detail {

/// Sets an option that follows from the model; one that was given must agree.
template <class T>
void follow(option_table const& given, char const* name, T& value, T const& from, std::filesystem::path const& model) {
    if (given.given(name) && value != from)
        fail<usage_error>("--", name, ": ", value, ": expected ", from, ", as in ", model.string());
    value = from;
}

/// `longest` 0: nothing limits it.
inline void follow_positions(option_table const& given, index_t& block_size, index_t longest, index_t otherwise,
                             std::filesystem::path const& at) {
    if (given.given("block_size") && longest > 0 && block_size > longest)
        fail<usage_error>("--block_size: ", block_size, ": expected at most ", longest, ", the positions of ", at.string());
    if (!given.given("block_size")) block_size = longest > 0 ? std::min(longest, otherwise) : otherwise;
}

/// The sizes of a decoder that is not attnlab's own GPT. \param weights  the folder or checkpoint that has its tensors
inline void take_family_sizes(run_settings& s, option_table const& given, std::filesystem::path const& at,
                              std::filesystem::path const& weights) {
    auto const d = read_family(s.family, weights);
    auto& m = s.model;
    for (char const* name : {"bias", "tied", "layer_norm_eps", "gelu"})
        if (given.given(name))
            fail<usage_error>("--", name, ": is a GPT's to choose: expected none beside ", at.string(), ", a model of ",
                              d.family);
    follow(given, "n_layer", m.n_layer, d.layers, at);
    follow(given, "n_head", m.n_head, d.heads, at);
    follow(given, "n_kv_head", m.n_kv_head, d.kv_heads, at);
    follow(given, "n_embd", m.n_embd, d.width, at);
    follow(given, "vocab_size", m.vocab_size, d.vocabulary, at);
    follow_positions(given, m.block_size, d.longest, 1024, at);
}

/// A model that was trained on much is trained on gently, where nothing else is asked for.
inline void take_gentle_rates(run_settings& s, option_table const& given) {
    auto& schedule = s.train.schedule;
    if (!given.given("learning_rate")) schedule.learning_rate = 1e-4;
    if (!given.given("min_lr")) schedule.min_lr = schedule.learning_rate / 10;
    if (!given.given("init_std")) s.model.init_std = 0.02;
}

/// Goes on with the data of an own run, but for what is given.
inline void take_data(run_settings& s, option_table const& given, run_settings const& from) {
    if (!given.given("triggers")) s.triggers = from.triggers;
    if (!given.given("matrix_seed")) s.matrix_seed = from.matrix_seed;
    if (given.given("task") || given.changed("text") || given.changed("data_dir")) return;
    s.task = from.task, s.text = from.text, s.data_dir = from.data_dir;
}

}  // namespace detail

/// The sizes of the model at `s.init_from`, a Hugging Face folder or an own run, of which the data too where none is named.
/// \throws usage_error where options disagree, or nothing says what to train on
inline void take_sizes(run_settings& s, option_table const& given) {
    auto const& at = s.init_from;
    bool const is_folder = is_model_folder(at);
    run_settings from;
    if (is_folder) {
        if (has_tokenizer(at)) from.tokenizer = at;
        detail::take_gentle_rates(s, given);
        auto const config = parse_json(at / "config.json");
        if (config.is_object() && config.value("model_type", json()) == "gpt2" && is_plain_gpt2(at)) {
            from.model = read_hf_gpt2_config(at);
            from.gelu = from.model.gelu == gelu_form::tanh ? "tanh" : "exact";
        } else {
            from.family = config.dump();
        }
    } else {
        from = read_checkpoint_run(checkpoint_path(at)).settings;
        detail::take_data(s, given, from);
    }
    if (is_folder && s.task == "backcopy" && !given.given("task"))
        fail<usage_error>("--init_from: ", at.string(), ": expected data to train it on: --text FILE, --data_dir FOLDER, or --task backcopy");
    if (!given.given("tokenizer")) s.tokenizer = from.tokenizer;
    if (!is_folder && from.task == "text" && from.tokenizer.empty()) detail::follow(given, "level", s.level, from.level, at);   // a token stays what it was
    s.family = from.family;
    if (!s.family.empty()) {
        detail::take_family_sizes(s, given, at, is_folder ? at : checkpoint_path(at));
        if (!is_folder && !given.given("block_size")) s.model.block_size = from.model.block_size;
        return;
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
    detail::follow_positions(given, m.block_size, from.model.block_size, from.model.block_size, at);
}

/// The characters that a text's tokens stand for beside the weights of an own run: those that it learned.
inline std::optional<std::vector<std::uint32_t>> code_points_of(run_settings const& s) {
    if (s.init_from.empty() || is_model_folder(s.init_from) || s.level != "characters") return {};
    return read_checkpoint_run(checkpoint_path(s.init_from)).code_points;
}

/// Where the tensors of a run's model come from when it begins or goes on.
inline std::filesystem::path weights_of(run_settings const& s) {
    if (s.resume) return s.resume_from;
    return is_model_folder(s.init_from) ? s.init_from : checkpoint_path(s.init_from);
}

/// Fills the parameters that the model at `s.init_from` has; names and shapes must agree. Says on standard error what starts anew
/// and what was left behind: the parameters of either attention.
/// \throws error naming a parameter that is not finite
inline void take_weights(run_settings const& s, any_model& model) {
    auto& parameters = model.parameters();
    auto const learned = model.learned_by_policy();
    weights_taken taken;
    if (!is_model_folder(s.init_from)) {
        auto const of_family = [&](std::string const& name) {
            return std::any_of(parameters.begin(), parameters.end(), [&](auto const& p) {
                return p->name == name && std::find(learned.begin(), learned.end(), p.get()) == learned.end();
            });
        };
        taken = load_shared_weights(safetensors_reader(checkpoint_path(s.init_from)), parameters, [&](std::string const& name) {
            return model.family() ? of_family(name) : is_of_any_gpt(name);
        });
    } else if (model.family()) {
        taken.left = read_family_weights(model, s.init_from);
        for (auto const* p : learned) taken.fresh.push_back(p->name);
    } else {
        taken.fresh = load_hf_gpt2_weights(s.init_from, parameters);
    }
    for (auto const& p : parameters)
        if (auto const odd = std::count_if(p->value.begin(), p->value.end(), [](float x) { return !std::isfinite(x); }); odd > 0)
            fail(s.init_from.string(), ": '", p->name, "' holds ", odd, odd == 1 ? " number that is" : " numbers that are", " not finite: expected weights to train on");
    if (s.progress == "none") return;
    auto const say = [&](std::vector<std::string> const& names, char const* what) {
        if (!names.empty()) std::cerr << s.init_from.string() << ": " << what << ": " << detail::first_few(names) << '\n';
    };
    say(taken.fresh, "start anew, since it does not have them");
    say(taken.left, "left behind, since this model does not have them");
}

}  // namespace attnlab
