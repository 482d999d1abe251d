#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/interventions/scale_verdict.hpp>
#include <attnlab/analysis/summary.hpp>

/// \file
/// What the rows say of the claim that a sink is a scale, in words.

namespace attnlab {

inline std::string scale_rule() {
    return "A head computes o_i = S_i o_rest + a_i v_sink with a_i = P[i, 0], S_i = 1 - a_i. If the sink is there for the scale S, what it hands on does not "
           "matter (i), a scale that is the same for all queries hurts (ii), and any constant key and value do as well (iii). The rule, run by run: a "
           "change hurts where it lies above its 95 % interval over the evaluation sequences; the claim holds where (ii) hurts and (i) and (iii) do not, "
           "holds but for a tenth where these cost no more than a tenth of (ii), and else does not. Where every sequence begins with the same token (iii) "
           "changes nothing but rounding, by construction: the sink's key and value are constants there, and the claim rests on (i) and (ii). All heads with a mean weight above 0.3 on the first key are "
           "changed at once. Intervals in the table are over seeds. Dormant: more than half of the weight on the first key.";
}

/// What held for one policy over its seeds.
inline std::string scale_finding(results const& all, policy_summary const& p) {
    std::map<scale_verdict, std::size_t> counts;
    std::map<std::string, std::map<int, double>> values;
    for (auto const* name : {"sinks", "zero_value", "zero_value.noise", "mean_scale", "mean_scale.noise", "constant_sink", "constant_sink.noise", "correlation", "correlation.p"})
        values[name] = all.last_by_seed(p.name, {std::string("sink_scale.") + name});
    std::size_t runs = 0, beyond_chance = 0;
    double largest_p = 0;
    for (auto const& [seed, sinks] : values["sinks"]) {
        if (sinks == 0 || !values["mean_scale"].contains(seed)) continue;
        auto const change = [&, at = seed](std::string const& name) { return loss_change{values[name][at], values[name + ".noise"][at]}; };
        ++counts[verdict_of(change("zero_value"), change("mean_scale"), change("constant_sink"))];
        ++runs;
    }
    for (auto const& [seed, value] : values["correlation.p"]) beyond_chance += value <= 0.05, largest_p = std::max(largest_p, value);
    if (runs == 0) return p.label + ": no sink in any seed, so nothing to read as a scale.";
    std::vector<std::string> said;
    for (auto const& [verdict, n] : counts) said.push_back(std::string(words(verdict)) + (runs > 1 ? text(" in ", n, " of ", runs, " seeds") : ""));
    auto const mean = [&](char const* name) { return all.last(p.name, {std::string("sink_scale.") + name}).mean; };
    std::string out = p.label + ": the claim " + joined(said, "; ") + " ((i) " + number(mean("zero_value"), 4) + ", (ii) " + number(mean("mean_scale"), 4) +
                      ", (iii) " + number(mean("constant_sink"), 4) + " nats)";
    if (auto const n = values["correlation.p"].size(); n > 0)
        out += "; its scales go with the explicit ones of (e) context_scale at a correlation of " + number(mean("correlation"), 2) + ", " +
               (beyond_chance == n ? "beyond" : beyond_chance == 0 ? "no more than" : text("in ", beyond_chance, " of ", n, " seeds beyond")) + " chance (" +
               number(mean("correlation.chance"), 2) + ", p " + number(largest_p, 2) + ")";
    return out + ".";
}

}  // namespace attnlab
