#pragma once
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <attnlab/analysis/estimate.hpp>
#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/interventions/reset_massive.hpp>
#include <attnlab/analysis/position_losses.hpp>
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
    s.tokens.measured = true;
    o.positional("MODEL", s.model, "a Hugging Face folder, a run's folder or its checkpoint");
    declare_sequences(o, s.tokens);
    declare_device(o, s.device);
    o.group("Intervention");
    o.add("intervene", s.intervene, "what becomes of massive activations after a layer: their mean, or zero", one_of{{"none", "mean", "zero"}});
    o.add("layer", s.layer, "with --intervene: which; -1: the first that has any", at_least{-1});
    o.add("factor", s.rule.factor, "with --intervene: massive is over so many times the median magnitude of the sequence");
    o.add("above", s.rule.above, "with --intervene: and over this");
    o.group("Output");
    o.add("json", s.as_json, "as JSON, with the loss of each window");
    o.add("quiet", s.quiet, "no progress");
}

namespace detail {

/// Mean loss of each window under an observer.
inline std::vector<double> window_losses(language_model& model, token_sequences const& x, any_observer& o, char const* label, bool quiet) {
    std::vector<double> out;
    progress shown(label, static_cast<std::uint64_t>(x.ids.size()), "tokens", {.quiet = quiet});
    in_parts(model.facts(), *x.ids, o, [&](language_model::ids some, any_observer& part, index_t first) {
        language_model::ids const next(&x.next(first, 0), some.shape());
        for (double loss : sequence_means(*model.losses(some, next, part), next)) out.push_back(loss);
        shown.advance(static_cast<std::uint64_t>(some.size()));
    });
    return out;
}

/// Asks for nothing.
struct nobody final : any_observer {
    bool asks(std::string_view, index_t) const override { return false; }
    void see(seen_site const&) override {}
};

}  // namespace detail

/// \throws error, usage_error
inline void perplexity_command(perplexity_settings const& s, language_model& model) {
    if (is_model_folder(s.model) && s.tokens.text.empty() && s.tokens.tokens.empty()) fail<usage_error>("--text: missing: expected a text, or --tokens with a file of tokens");
    auto const x = read_sequences(s.tokens, model);
    require(x.length() > 1, x.from, ": windows of ", x.length(), " token: expected at least 2");
    if (s.layer >= model.facts().layers) fail<usage_error>("--layer: ", s.layer, ": expected 0 to ", model.facts().layers - 1);

    find_massive finder(s.rule);
    detail::nobody nobody;
    bool const intervene = s.intervene != "none";
    auto const before = detail::window_losses(model, x, intervene ? static_cast<any_observer&>(finder) : nobody, "perplexity", s.quiet);
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
        after = detail::window_losses(model, x, reset, "intervened", s.quiet);
    }
    for (auto const& w : model.warnings()) std::cerr << "warning: " << w << '\n';

    auto const loss = mean_loss(before), changed = mean_loss(after);
    if (s.as_json) {
        json out{{"model", model.facts().name}, {"tokens", x.from}, {"windows", x.count()}, {"T", x.length()}, {"loss", json_number(loss.mean)},
                 {"standard_error", json_number(loss.standard_error)}, {"perplexity", json_number(std::exp(loss.mean))}};
        for (double l : before) out["window_losses"].push_back(json_number(l));
        if (massive) {
            json channels = json::array();
            for (auto const* part : {&massive->first, &massive->other})
                for (auto const& [c, value] : *part) channels.push_back({{"channel", c}, {"at", part == &massive->first ? "position 0" : "other positions"}, {"mean", json_number(value)}});
            out["intervention"] = {{"set_to", s.intervene}, {"layer", massive->layer}, {"factor", s.rule.factor}, {"above", s.rule.above}, {"tokens", massive->at.size()}, {"values", channels},
                                   {"loss", json_number(changed.mean)}, {"standard_error", json_number(changed.standard_error)}, {"perplexity", json_number(std::exp(changed.mean))}};
            for (double l : after) out["intervention"]["window_losses"].push_back(json_number(l));
        }
        std::cout << out.dump(2) << '\n';
        return;
    }
    table t{text(model.facts().name, ", ", plural(x.count(), "window"), " of ", x.length(), " tokens, ", x.from, "; loss in nats per token"),
            {"", "loss", "standard error", "perplexity"}};
    auto const line = [&](std::string const& what, estimate const& e) { t.add({what, number(e.mean, 4), number(e.standard_error, 4), number(std::exp(e.mean), 3)}); };
    line("as it is", loss);
    if (massive) line(text("massive activations after layer ", massive->layer, " set to ", s.intervene == "mean" ? "their mean" : "zero"), changed);
    std::cout << to_text(t);
}

}  // namespace attnlab
