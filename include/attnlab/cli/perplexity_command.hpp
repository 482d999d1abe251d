#pragma once
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/interventions/reset_massive.hpp>
#include <attnlab/cli/analysed_tokens.hpp>
#include <attnlab/cli/options.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/progress.hpp>
#include <attnlab/io/table.hpp>
#include <attnlab/observe/in_parts.hpp>

/// \file
/// `attnlab perplexity`: over windows of a text, as the model is and with its massive activations set to their mean or to zero.

namespace attnlab {

struct perplexity_settings {
    std::filesystem::path model;
    sequence_options tokens;
    std::string intervene = "none", device = "cpu";
    index_t layer = -1;
    massive rule;
    bool as_json = false, quiet = false;
};

inline void declare(option_table& o, perplexity_settings& s) {
    o.positional("MODEL", s.model, "a Hugging Face folder, a run's folder or its checkpoint");
    declare_sequences(o, s.tokens);
    declare_device(o, s.device);
    o.group("Intervention");
    o.add("intervene", s.intervene, "what becomes of massive activations after a layer: their mean, or zero", one_of{{"none", "mean", "zero"}});
    o.add("layer", s.layer, "which; -1: the first that has any", at_least{-1});
    o.add("factor", s.rule.factor, "massive: over so many times the median magnitude of the sequence");
    o.add("above", s.rule.above, "and over this");
    o.group("Output");
    o.add("json", s.as_json, "as JSON, with the loss of each window");
    o.add("quiet", s.quiet, "no progress");
}

namespace detail {

/// Mean loss of each window under an observer.
inline std::vector<double> window_losses(language_model& model, view<std::int32_t const, 2> ids, any_observer& o, char const* label, bool quiet) {
    index_t const T = ids.shape(1);
    std::vector<double> out;
    progress shown(label, static_cast<std::uint64_t>(ids.size()), "tokens", {.quiet = quiet});
    in_parts(model.facts(), ids, o, [&](language_model::ids some, any_observer& part, index_t) {
        auto const losses = model.next_token_losses(some, part);
        for (index_t b = 0; b < losses.shape(0); ++b) {
            double sum = 0;
            for (index_t t = 0; t + 1 < T; ++t) sum += losses(b, t);
            out.push_back(sum / static_cast<double>(T - 1));
        }
        shown.advance(static_cast<std::uint64_t>(some.size()));
    });
    return out;
}

/// Asks for nothing.
struct nobody final : any_observer {
    bool asks(std::string_view, index_t) const override { return false; }
    void see(seen_site const&) override {}
};

inline double mean_of(std::vector<double> const& x) {
    double sum = 0;
    for (double v : x) sum += v;
    return sum / static_cast<double>(x.size());
}

}  // namespace detail

/// \throws error, usage_error
inline void perplexity_command(perplexity_settings const& s, language_model& model) {
    if (is_model_folder(s.model) && s.tokens.text.empty() && s.tokens.tokens.empty()) fail<usage_error>("--text: expected a text, or --tokens with a file of tokens");
    auto const x = read_sequences(s.tokens, model);
    require(x.length() > 1, x.from, ": windows of ", x.length(), " token: expected at least 2");
    if (s.layer >= model.facts().layers) fail<usage_error>("--layer: ", s.layer, ": expected 0 to ", model.facts().layers - 1);

    find_massive finder(s.rule);
    detail::nobody nobody;
    bool const intervene = s.intervene != "none";
    auto const before = detail::window_losses(model, x.ids, intervene ? static_cast<any_observer&>(finder) : nobody, "perplexity", s.quiet);
    std::optional<massive_values> massive;
    std::vector<double> after;
    if (intervene) {
        massive = finder.found(s.layer < 0 ? std::optional<index_t>{} : s.layer);
        require(massive.has_value(), "--intervene: no massive activations (over ", s.rule.factor, " times the median magnitude, and over ", s.rule.above, ") in the output of ",
                s.layer < 0 ? std::string("any layer") : text("layer ", s.layer, "; layers that have some: ", finder.layers().empty() ? "none" : [&] {
                    std::vector<std::string> names;
                    for (index_t l : finder.layers()) names.push_back(std::to_string(l));
                    return joined(names);
                }()));
        reset_massive reset(*massive, s.intervene == "mean" ? 1 : 0);
        after = detail::window_losses(model, x.ids, reset, "intervened", s.quiet);
    }
    for (auto const& w : model.warnings()) std::cerr << "warning: " << w << '\n';

    double const loss = detail::mean_of(before);
    if (s.as_json) {
        json out{{"model", model.facts().name}, {"tokens", x.from}, {"windows", x.count()}, {"T", x.length()}, {"loss", json_number(loss)},
                 {"perplexity", json_number(std::exp(loss))}};
        for (double l : before) out["window_losses"].push_back(json_number(l));
        if (massive) {
            double const changed = detail::mean_of(after);
            json channels = json::array();
            for (auto const* part : {&massive->first, &massive->other})
                for (auto const& [c, value] : *part) channels.push_back({{"channel", c}, {"at", part == &massive->first ? "position 0" : "other positions"}, {"mean", json_number(value)}});
            out["intervention"] = {{"set_to", s.intervene}, {"layer", massive->layer}, {"factor", s.rule.factor}, {"above", s.rule.above}, {"tokens", massive->at.size()}, {"values", channels},
                                   {"loss", json_number(changed)}, {"perplexity", json_number(std::exp(changed))}};
            for (double l : after) out["intervention"]["window_losses"].push_back(json_number(l));
        }
        std::cout << out.dump(2) << '\n';
        return;
    }
    table t{text(model.facts().name, ", ", x.count(), " windows of ", x.length(), " tokens; loss in nats per token"), {"", "loss", "perplexity"}};
    t.add({"as it is", number(loss, 4), number(std::exp(loss), 3)});
    if (massive) {
        double const changed = detail::mean_of(after);
        t.add({text("massive activations after layer ", massive->layer, " set to ", s.intervene == "mean" ? "their mean" : "zero"), number(changed, 4), number(std::exp(changed), 3)});
    }
    std::cout << to_text(t);
}

}  // namespace attnlab
