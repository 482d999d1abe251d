#pragma once
#include <filesystem>
#include <iostream>
#include <utility>

#include <attnlab/analysis/format.hpp>
#include <attnlab/cli/measure_scale.hpp>
#include <attnlab/cli/open_checkpoint.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// `attnlab scale`: are a checkpoint's sinks implicit scaling factors, as 2502.06415 claims? On its evaluation sequences or on those of
/// another text.

namespace attnlab {

namespace detail {

inline json to_json(sink_as_scale_result const& r) {
    auto const change = [](loss_change c) { return json{{"change", json_number(c.mean)}, {"half_width", json_number(c.half_width)}, {"hurts", c.hurts()}}; };
    json out{{"sequences", r.sequences}, {"loss", json_number(r.loss)}, {"sinks", r.sinks()}};
    if (r.sinks() > 0) {
        out["zero_value"] = change(r.without_value), out["mean_scale"] = change(r.with_mean_scale), out["constant_sink"] = change(r.with_constant);
        out["claim"] = words(r.verdict());
    }
    for (auto const& h : r.heads) {
        json head{{"layer", h.layer}, {"head", h.head}, {"sink", h.sink}, {"mean", json_number(h.mean())}, {"variance", json_number(h.variance())}};
        for (int p : scale_percentiles) head["percentiles"][std::to_string(p)] = json_number(h.quantile(p / 100.0));
        head["sink_part"] = json_number(h.sink_part.mean()), head["excess_risk"] = json_number(h.excess_risk);
        head["key_error"] = json_number(r.cache.keys(h.layer).error(h.head)), head["value_error"] = json_number(r.cache.values(h.layer).error(h.head));
        out["heads"].push_back(std::move(head));
    }
    return out;
}

}  // namespace detail

/// \param as_json print everything as JSON instead of two tables \throws error where the policy's sinks cannot be read as scales
inline void scale_command(experiment const& e, checkpoint_run const& run, std::filesystem::path const& path, bool as_json) {
    auto const& s = run.settings;
    open_checkpoint const opened(e, run, path);
    if (auto const o = opened.model->scale_obstacle(); o != scale_obstacle::none)
        fail(s.policy, ": its sinks cannot be read as scales: ", words(o));
    auto const r = measure_scale(*opened.model, evaluation_batches(opened.data, s));
    if (as_json) {
        json out{{"policy", s.policy}, {"step", run.state.iteration}};
        out.update(detail::to_json(r));
        std::cout << out.dump(2) << '\n';
        return;
    }
    table heads{text(s.policy, ", step ", run.state.iteration, ", ", plural(r.sequences, "sequence"), " of ", s.model.block_size, "; S = 1 - P[i, 0]"),
                {"layer.head", "sink", "mean of S", "variance", "5 %", "median", "95 %", "|a v_sink|/|o|", "excess risk"}};
    for (auto const& h : r.heads)
        heads.add({text(h.layer, ".", h.head), h.sink ? "yes" : "", number(h.mean(), 3), number(h.variance(), 3), number(h.quantile(0.05), 3), number(h.quantile(0.5), 3),
                   number(h.quantile(0.95), 3), number(h.sink_part.mean(), 3), number(h.excess_risk, 4)});
    std::cout << to_text(heads) << '\n';
    if (r.sinks() == 0) {
        std::cout << "No head gives the first key more than " << sink_threshold << " of its weight: there is nothing to read as a scale.\n";
        return;
    }
    table losses{text(plural(r.sinks(), "sink head"), " at once; loss in nats per token"), {"", "loss", "change", "95 % interval"}};
    losses.add({"as trained", number(r.loss, 4), "", ""});
    auto const line = [&](char const* what, loss_change c) { losses.add({what, number(r.loss + c.mean, 4), number(c.mean, 4), "± " + number(c.half_width, 4)}); };
    line("(i) v_sink at zero", r.without_value);
    line("(ii) S at its mean", r.with_mean_scale);
    line("(iii) k', v' constant", r.with_constant);
    std::cout << to_text(losses) << "\nThat the sink is a scale in disguise " << words(r.verdict()) << ".\n";
}

}  // namespace attnlab
