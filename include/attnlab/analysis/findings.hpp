#pragma once
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/summary.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// The sentences of a report. Each is chosen by the numbers and says them; none is known beforehand. Verdicts go by the median seed
/// and by the thresholds of metrics.hpp and summary.hpp.

namespace attnlab {
namespace detail {

inline std::string learned_sentence(manifest const& m, policy_summary const& s) {
    if (s.loss.count == 0) return "Its loss was not measured. ";
    if (!m.has_floor()) return "Validation loss " + mean_and_interval(s.loss) + " nats. ";
    std::string out = "Ends " + mean_and_interval(s.loss) + " nats above the entropy floor";
    if (s.copy_accuracy.count == 0) return out + "; copying was not measured. ";
    if (s.copy_accuracy.median >= learned_accuracy) return out + " and copies right at " + number(100 * s.copy_accuracy.mean, 1) + " % of the triggers. ";
    return out + " and has not learned to copy: right at " + number(100 * s.copy_accuracy.mean, 1) + " % of the triggers (learned: from " +
           cell(100 * learned_accuracy) + " %). ";
}

/// " (seeds: 6, 9, 8)", nothing for a single seed.
inline std::string by_seed(std::map<int, double> const& values) {
    if (values.size() < 2) return "";
    std::vector<std::string> words;
    for (auto const& [seed, value] : values) words.push_back(number(value));
    return " (seeds: " + joined(words) + ")";
}

inline std::string first_layer_sentence(policy_summary const& s) {
    if (s.first_bos_mass.count == 0) return "";
    std::string out = "In layer 0 the BOS mass is " + number(s.first_bos_mass.mean);
    if (s.uniform.count > 0) out += " (even attention: " + number(s.uniform.mean) + ")";
    if (s.first_value_ratio.count > 0) out += " and the value ratio " + number(s.first_value_ratio.mean);
    out += ". ";
    if (!s.sinks() || s.first_bos_trigger.count == 0 || s.first_bos_ordinary.count == 0) return out;
    auto const active = number(s.first_bos_trigger.mean), dormant = number(s.first_bos_ordinary.mean);
    if (s.first_bos_trigger.mean < s.first_bos_ordinary.mean / 2)
        return out + "Its heads sleep on BOS where there is nothing to copy (" + dormant + ") and wake at triggers (" + active + "). ";
    return out + "BOS mass is " + active + " at triggers and " + dormant + " elsewhere: no clear switch between active and dormant. ";
}

/// A count, or the mean of two.
inline std::string seed_count(double x) { return number(x, x == std::floor(x) ? 0 : 1); }

inline std::string sink_sentence(policy_summary const& s) {
    if (!s.measured()) return "Its heads were not measured, so nothing is said of sinks. ";
    auto const heads = s.heads.count > 0 ? " of " + number(s.heads.median) : std::string();
    auto const seeds = by_seed(s.sinks_and_drains_by_seed);
    std::string out;
    if (s.sinks())
        out = "Sinks that drain: " + seed_count(s.sinks_and_drains.median) + heads + " heads in " + median_of(s.sinks_and_drains.count) + seeds + ". ";
    else if (s.sinks_and_drains.max == 0)
        out = "No head" + heads + " is a sink that drains its value" + (s.sinks_and_drains.count > 1 ? ", in any seed. " : ". ");
    else
        out = "No sink that drains its value in " + median_of(s.sinks_and_drains.count) + seeds + ". ";
    out += first_layer_sentence(s);
    if (!s.sinks() && s.sink_heads.count > 0 && s.sink_heads.mean > 0) {
        out += "Some heads (" + number(100 * s.sink_heads.mean, 0) + " %) pass " + cell(sink_threshold) + " of BOS mass all the same, mostly with their value kept";
        if (s.bos_mass_gated.count > 0) out += "; times its gate the mean BOS mass is " + number(s.bos_mass_gated.mean);
        out += ". ";
    }
    if (s.first_slot_mass.count > 0 && s.first_slot_mass.mean > 0.05)
        out += "Its learned key takes " + number(s.first_slot_mass.mean) + " of layer 0's weight. ";
    if (s.negative_weights.count > 0)
        out += "Of its weights " + number(100 * s.negative_weights.mean, 0) + " % are negative: its masses are sums of signed weights, which cancel, and no shares. ";
    if (s.gate.count > 0 && std::abs(s.gate.mean - 1) > 0.05) out += "Its mean gate is " + number(s.gate.mean) + ". ";
    return out;
}

inline std::string stream_sentence(policy_summary const& s) {
    std::string out;
    if (s.first_kurtosis.count > 0)
        out = "The stream entering layer 0 is " + std::string(s.heavy() ? "" : "not ") + "heavy-tailed (kurtosis " + number(s.first_kurtosis.median) +
              " in " + median_of(s.first_kurtosis.count) + "; our line " + cell(heavy_tail) + "). ";
    if (s.outliers_1000x.count == 0 || s.outliers_50x.count == 0 || s.largest_output.count == 0) return out;
    auto const many = number(s.outliers_1000x.max), some = number(s.outliers_50x.max), largest = number(s.largest_output.max);
    if (s.outliers_1000x.max > 0) return out + "Massive activations: up to " + many + " tokens of a seed pass 1000 times the mean in a layer output. ";
    if (s.outliers_50x.max > 0)
        return out + "No element passes 1000 times the mean in a layer output; up to " + some + " tokens of a seed pass 50 times (largest: " +
               largest + "). ";
    return out + "No element passes 50 times the mean in a layer output (largest: " + largest + "). ";
}

inline std::string paper_sentence(policy_summary const& s) {
    auto const* known = find_known_policy(s.name);
    if (!known || !s.measured()) return "";
    if (known->claim == paper_claim::outliers)
        return s.sinks() ? "The paper reports outliers under it; the sinks here point the same way." : "The paper reports outliers under it; no sink grew here.";
    return s.sinks() ? "The paper reports no outliers under it; sinks grew here all the same." : "The paper reports no outliers under it; no sink grew here either.";
}

inline std::vector<std::string> labels_of(std::vector<policy_summary> const& all, bool sinks) {
    std::vector<std::string> out;
    for (auto const& s : all)
        if (s.measured() && s.sinks() == sinks) out.push_back(s.label);
    return out;
}

/// "8, 7 and 9 of 12 heads": the sinks of the policies that have them.
inline std::string sink_counts(std::vector<policy_summary> const& all) {
    std::vector<std::string> counts;
    estimate heads;
    for (auto const& s : all)
        if (s.sinks()) counts.push_back(seed_count(s.sinks_and_drains.median)), heads = s.heads;
    return listed(counts) + (heads.count > 0 ? " of " + number(heads.median) : "") + " heads";
}

/// Least and largest of a seed's values over the policies with, or without, sinks.
inline std::pair<double, double> kurtosis_range(std::vector<policy_summary> const& all, bool sinks) {
    std::pair range(std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity());
    for (auto const& s : all)
        if (s.measured() && s.sinks() == sinks && s.first_kurtosis.count > 0)
            range = {std::min(range.first, s.first_kurtosis.min), std::max(range.second, s.first_kurtosis.max)};
    return range;
}

}  // namespace detail

/// What was found of one policy, and what was not: one paragraph without its name.
inline std::string finding(manifest const& m, policy_summary const& s) {
    if (s.seeds == 0) return "No run of it is there.";
    std::string out = detail::learned_sentence(m, s) + detail::sink_sentence(s) + detail::stream_sentence(s);
    if (s.not_finite.count > 0 && s.not_finite.max > 0)
        out += "Up to " + number(s.not_finite.max) + " values of a seed were NaN or infinite and are left out of every score. ";
    return out + detail::paper_sentence(s);
}

/// What was trained, and how well.
inline std::string training_sentence(manifest const& m, std::vector<policy_summary> const& all) {
    std::size_t const present = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](auto const& s) { return s.seeds > 0; }));
    std::string out = count_word(present) + (present == 1 ? " attention policy was trained on " : " attention policies were trained side by side on ") +
                      (m.has_floor() ? "Bigram-Backcopy" : m.task) + ", " + number(static_cast<double>(m.steps)) + " steps and " +
                      count_word(m.seeds.size()) + (m.seeds.size() == 1 ? " seed" : " seeds") + (present == 1 ? "" : " each");
    out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
    double low = std::numeric_limits<double>::infinity(), high = -low;
    bool learned = true;
    for (auto const& s : all) {
        if (s.loss.count > 0) low = std::min(low, s.loss.median), high = std::max(high, s.loss.median);
        learned = learned && (!m.has_floor() || (s.copy_accuracy.count > 0 && s.copy_accuracy.median >= learned_accuracy));
    }
    if (low > high) return out + "; their loss was not measured.";
    out += present == 1 ? ", and ends " : ", and end ";
    out += m.has_floor() ? range_text(low, high) + " nats above the entropy floor" : "at a validation loss of " + range_text(low, high) + " nats";
    if (present < 2) return out + ".";
    if (!learned) return out + "; not all have learned the task, so the contrast below is partly one of skill.";
    return out + (high - low <= equal_loss ? ": they are equally good, so the contrast below is not one of skill."
                                           : ": they are not equally good, so part of the contrast below may be one of skill.");
}

/// Which policies grew sinks.
inline std::string sinks_sentence(manifest const& m, std::vector<policy_summary> const& all) {
    auto const with = detail::labels_of(all, true), without = detail::labels_of(all, false);
    std::string out = m.has_floor() ? "" : "No sink is promised on text after so short a training; what came: ";
    if (with.empty() && without.empty()) return out + "attention heads were not measured.";
    if (with.empty()) {
        double largest = 0;
        for (auto const& s : all)
            if (s.bos_mass_max.count > 0) largest = std::max(largest, s.bos_mass_max.max);
        return out + "no policy grew attention sinks with drained values in " + median_of(m.seeds.size()) + "; the largest BOS mass of a head is " + number(largest) +
               " (a sink passes " + cell(sink_threshold) + ").";
    }
    out += "attention sinks with a drained value grew in " + listed(with) + " (" + detail::sink_counts(all) + " in " + median_of(m.seeds.size()) + ")";
    return out + (without.empty() ? ", that is in every policy." : " and not in " + listed(without) + ".");
}

/// Whether the stream has massive activations, and what would be needed.
inline std::string massive_sentence(std::vector<policy_summary> const& all) {
    double largest = 0, above_50 = 0, above_1000 = 0;
    bool counted = false;
    for (auto const& s : all) {
        if (s.outliers_1000x.count == 0 || s.outliers_50x.count == 0 || s.largest_output.count == 0) continue;
        counted = true;
        largest = std::max(largest, s.largest_output.max);
        above_50 += s.outliers_50x.mean * static_cast<double>(s.outliers_50x.count);
        above_1000 += s.outliers_1000x.mean * static_cast<double>(s.outliers_1000x.count);
    }
    std::string out;
    if (!counted) out = "Massive activations were not counted";
    else if (above_1000 > 0) out = "Massive activations by the paper's rule (1000 times the mean) are there: " + number(above_1000) + " tokens over all runs";
    else
        out = "Massive activations of the paper's kind are not there: no element of a layer output passes 1000 times the mean and " +
              (above_50 > 0 ? number(above_50) + " tokens pass" : std::string("none passes")) + " 50 times; the largest, " + number(largest) +
              " times, would have to grow " + number(1000 / largest, 0) + "-fold to pass";
    auto const with = detail::kurtosis_range(all, true), without = detail::kurtosis_range(all, false);
    if (with.first > with.second || without.first > without.second) return out + ".";
    out += "; the kurtosis of the stream entering layer 0 is " + range_text(with.first, with.second) + " with sinks and " +
           range_text(without.first, without.second) + " without";
    return out + (with.first > without.second ? ", without overlap." : ", and the two overlap.");
}

/// The three sentences at the top.
inline std::string summary_text(manifest const& m, std::vector<policy_summary> const& all) {
    auto sinks = sinks_sentence(m, all);
    sinks[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(sinks[0])));
    return training_sentence(m, all) + " " + sinks + " " + massive_sentence(all);
}

/// What would be needed where no massive activation came; empty where some did.
inline std::string outlook(std::vector<policy_summary> const& all) {
    for (auto const& s : all)
        if (s.outliers_1000x.count > 0 && s.outliers_1000x.max > 0) return "";
    return "Peaks at layer outputs are reported from longer training of wider models: Guo et al. (2410.13835) show a BOS norm some 25 times the "
           "others' after layer 0 of a width-256 model trained for thousands of times the tokens of the default task. That was not run here.";
}

/// Runs that were asked for and are not there, or stopped early; one clause each.
inline std::vector<std::string> missing_runs(manifest const& m, results const& rows) {
    std::vector<std::string> out;
    for (auto const& policy : m.policies) {
        auto const mine = rows.filter({.policy = policy});
        for (int seed : m.seeds) {
            auto const run = mine.filter({.seed = seed});
            if (run.empty()) {
                out.push_back(text(policy, " seed ", seed, ": no run"));
                continue;
            }
            auto const last = std::max_element(run.begin(), run.end(), [](auto const& a, auto const& b) { return a.step < b.step; })->step;
            if (last < m.steps) out.push_back(text(policy, " seed ", seed, ": stopped at step ", last, " of ", m.steps));
        }
    }
    return out;
}

}  // namespace attnlab
