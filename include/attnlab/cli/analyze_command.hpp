#pragma once
#include <cmath>
#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/estimate.hpp>
#include <attnlab/analysis/position_losses.hpp>
#include <attnlab/analysis/views/existence_view.hpp>
#include <attnlab/analysis/views/how_it_was_run.hpp>
#include <attnlab/analysis/views/lifecycle_view.hpp>
#include <attnlab/analysis/views/overlap_view.hpp>
#include <attnlab/analysis/views/position_view.hpp>
#include <attnlab/cli/analysed_tokens.hpp>
#include <attnlab/cli/options.hpp>
#include <attnlab/io/progress.hpp>
#include <attnlab/observe/in_parts.hpp>

/// \file
/// `attnlab analyze existence|position|lifecycle|overlap MODEL`: the paper's views of a model's outliers, their coordinates
/// found.

namespace attnlab {

struct analyze_settings {
    std::string what, device = "cpu";
    std::filesystem::path model, out;
    sequence_options data;
    std::vector<index_t> keys;
    double factor = 1000, share = 0.1;
    bool as_json = false, quiet = false, perplexity = false;
};

inline void declare(option_table& o, analyze_settings& s) {
    o.positional("VIEW", s.what, "existence, position, lifecycle or overlap");
    o.positional("MODEL", s.model, "a Hugging Face folder, a run's folder or its checkpoint");
    declare_sequences(o, s.data);
    declare_device(o, s.device);
    o.group("Definitions");
    o.add("factor", s.factor, "an activation outlier is above so many times the mean |x| of its layer and sequence", at_least{0});
    o.add("share", s.share, "a key is an attention outlier that receives this share of T", between{0, 1});
    o.add("keys", s.keys, "positions whose share of attention is shown; nothing: those that are found", each<at_least>{{0}});
    o.group("Output");
    o.add("out", s.out, "folder of report.html, analysis.json, CSV and figures; nothing: attnlab-VIEW");
    o.add("perplexity", s.perplexity, "measure the loss of the sequences too");
    o.add("json", s.as_json, "print all numbers as JSON");
    o.add("quiet", s.quiet, "print nothing");
}

/// Loss over the sequences, each a window on its own.
inline json perplexity_json(std::vector<double> const& losses, estimate const& loss, index_t T) {
    return {{"T", T},
            {"windows", losses.size()},
            {"window_losses", json_numbers(losses)},
            {"loss", json_number(loss.mean)},
            {"standard_error", json_number(loss.standard_error)},
            {"perplexity", json_number(std::exp(loss.mean))}};
}

inline void analyze_command(analyze_settings s, language_model& model) {
    auto const x = read_sequences(s.data, model);
    auto const& facts = model.facts();
    for (index_t k : s.keys)
        if (k >= x.length()) fail<usage_error>("--keys: ", k, ": expected 0 to ", x.length() - 1);
    survey seen({.bos = x.bos, .dtype = "float32", .layers = facts.layers}, {.factor = s.factor}, {.share = s.share});
    std::vector<double> losses;
    progress shown("looking at " + facts.name, static_cast<std::uint64_t>(x.ids.size()), "tokens", answer_progress(s.quiet || s.as_json));
    in_parts(facts, x.ids, seen, [&](language_model::ids some, any_observer& part, index_t first) {
        if (!s.perplexity) model.forward(some, part);
        else {
            language_model::ids const next(&x.next(first, 0), some.shape());
            for (double loss : sequence_means(*model.losses(some, next, part), next)) losses.push_back(loss);
        }
        shown.advance(static_cast<std::uint64_t>(some.size()));
    });
    shown.finish();
    auto const loss = mean_loss(losses);
    auto const weights = survey_weights(model, s.what == "position");
    auto numbers = survey_json(facts, seen, weights, x, s.keys);
    if (s.perplexity) numbers["perplexity"] = perplexity_json(losses, loss, x.length());
    auto const keys = s.keys.empty() ? seen.attention().found_keys() : s.keys;

    auto page = s.what == "existence"   ? existence_view(model, seen, weights, x, keys, std::move(numbers))
                : s.what == "lifecycle" ? lifecycle_view(model, seen, weights, x, std::move(numbers))
                : s.what == "overlap"   ? overlap_view(facts, seen, weights, x, std::move(numbers))
                                        : position_view(facts, seen, weights, x, keys, std::move(numbers));
    if (s.perplexity)
        page.summary.push_back(text("Loss ", number(loss.mean, 4), " nats per token, standard error ", number(loss.standard_error, 4), " over ", x.count(), " sequences: perplexity ",
                                    number(std::exp(loss.mean), 3), "."));
    page.sections.push_back(how_it_was_run(facts, seen, x));
    write_view(s.out, page);
    for (auto const& w : model.warnings()) std::cerr << "warning: " << w << '\n';
    if (s.as_json)
        std::cout << page.numbers.dump(1) << '\n';
    else if (!s.quiet) {
        for (auto const& line : page.summary) std::cout << line << '\n';
        std::cout << "report: " << (s.out / "report.html").string() << std::endl;
    }
}

}  // namespace attnlab
