#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <attnlab/analysis/manifest.hpp>
#include <attnlab/analysis/policy_names.hpp>
#include <attnlab/analysis/results.hpp>
#include <attnlab/analysis/sample.hpp>
#include <attnlab/core/rng.hpp>

/// \file
/// Made-up runs for tests: policies (a) to (c) grow sinks, the others do not. Numbers lie near those of the default task.

namespace synthetic {

namespace lab = attnlab;

inline bool grows(std::string const& policy) {
    auto const* known = lab::find_known_policy(policy);
    return known && known->claim == lab::paper_claim::outliers;
}

inline lab::manifest plan(std::string task = "backcopy") {
    lab::manifest m;
    m.task = std::move(task);
    m.command = "attnlab reproduce --out <runs> & co";
    for (auto const& p : lab::known_policies) m.policies.emplace_back(p.name);
    m.seeds = {1, 2, 3};
    m.steps = 1500;
    m.machine = "a made-up CPU, 2 threads";
    m.minutes = 1.5;
    m.length_rule = "sigmoid(s - ln T) with T = 32, the training length";
    m.versions = {{"attnlab", "0.1"}, {"compiler", "g++ 12.2"}};
    m.options = {{"learning_rate", 0.01}, {"batch", 16}};
    return m;
}

/// All rows of one run. On text there is a loss, no excess, no trigger and no sink.
inline lab::results run(lab::manifest const& m, std::string const& policy, int seed) {
    lab::results out;
    bool const sinks = grows(policy) && m.has_floor(), slot = policy == "attention_bias", gated = policy == "context_scale";
    auto const key = lab::rng::stream(static_cast<std::uint64_t>(seed), policy);
    std::uint64_t n = 0;
    auto wobble = [&](double x) { return x * (0.9 + 0.2 * lab::rng::uniform(key, n++)); };
    constexpr lab::index_t L = 3, H = 4;
    for (lab::index_t step = 0; step <= m.steps; step += 250) {
        double const t = static_cast<double>(step) / static_cast<double>(m.steps), grown = sinks ? 1 - std::exp(-4 * t) : 0;
        auto add = [&](char const* name, double value, lab::index_t layer = lab::whole, lab::index_t head = lab::whole) {
            out.add(policy, seed, step, {name, layer, head}, value);
        };
        double const excess = wobble(0.02 + 1.9 * std::exp(-7 * t));
        if (m.has_floor()) {
            add("excess", excess);
            add("floor", 1.949);
            add("copy_accuracy", std::min(1.0, 0.2 + 2 * t));
            add("copy_loss", 2 * std::exp(-8 * t));
        }
        add("loss", m.has_floor() ? 1.949 + excess : 1.65 + excess);
        if (!m.has_floor()) add("bits_per_byte", (1.65 + excess) / std::log(2.0));
        double bos_sum = 0;
        int both = 0, sink_heads = 0;
        double smallest = 9, largest = 0;
        for (lab::index_t l = 0; l < L; ++l) {
            double layer_bos = 0, layer_value = 0;
            int both_here = 0;
            for (lab::index_t h = 0; h < H; ++h) {
                bool const here = sinks && (l == 0 || h < 2);
                double const bos = here ? wobble(.1 + .68 * grown) : wobble(slot ? .02 : .06), value = here ? wobble(1 - .94 * grown) : wobble(.85);
                add("bos_mass", bos, l, h);
                add("value_ratio", value, l, h);
                add("bos_mass_gated", bos * (gated ? .3 : 1), l, h);
                layer_bos += bos / H, layer_value += value / H;
                both_here += bos > .3 && value < .3;
                sink_heads += bos > .3;
                smallest = std::min(smallest, value), largest = std::max(largest, bos);
            }
            add("bos_mass", layer_bos, l);
            add("value_ratio", layer_value, l);
            add("bos_mass_gated", layer_bos * (gated ? .3 : 1), l);
            add("slot_mass", slot ? wobble(.7) : 0, l);
            add("gate", gated ? wobble(.3) : 1, l);
            add("sinks_and_drains", both_here, l);
            if (m.has_floor()) {
                add("bos_mass_trigger", layer_bos * .3, l);
                add("bos_mass_ordinary", std::min(1.0, layer_bos * 1.2), l);
            }
            both += both_here;
            bos_sum += layer_bos / L;
            for (auto const& [site, peak] : {std::pair{std::string("resid_pre."), l == 0 ? 3.5 + 8 * grown : 8.0}, {std::string("resid_post."), 12.0}}) {
                add((site + "kurtosis").c_str(), wobble(peak), l);
                add((site + "max_over_mean").c_str(), wobble(7 + .7 * peak), l);
                add((site + "max_over_median").c_str(), wobble(9 + .7 * peak), l);
                add((site + "bos_norm_ratio").c_str(), wobble(1.6), l);
                double const grow = static_cast<double>(l + 1) * (1 + t);
                add((site + "top1").c_str(), wobble(12 * grow), l);
                add((site + "top2").c_str(), wobble(9 * grow), l);
                add((site + "top3").c_str(), wobble(7.5 * grow), l);
                add((site + "median").c_str(), wobble(.7 * grow), l);
                for (auto const* count : {"outliers_1000x", "outliers_50x", "outliers_custom"}) add((site + count).c_str(), 0, l);
            }
        }
        add("bos_mass", bos_sum);
        add("bos_mass_gated", bos_sum * (gated ? .3 : 1));
        add("first_token_share", bos_sum);
        add("bos_mass_max", largest);
        add("bos_mass_uniform", .0987);
        add("value_ratio", .5);
        add("value_ratio_min", smallest);
        add("sink_rate", sink_heads / 12.0);
        add("sink_heads", sink_heads / 12.0);
        add("sinks_and_drains", both);
        add("heads", 12);
        add("slot_mass", slot ? .7 : 0);
        add("gate", gated ? .3 : 1);
        add("sequences", 128);
        add("length", 32);
        add("outlier_factor", 20);
        add("not_finite", 0);
        add("tokens_seen", static_cast<double>(step) * 512);
    }
    auto add_last = [&](char const* name, double value) { out.add(policy, seed, m.steps, {name}, value); };
    add_last("tokens_per_second", wobble(40000));
    add_last("train_seconds", wobble(19));
    add_last("parameters", 156224);
    if (m.has_floor()) {
        add_last("steps_to_excess_0.1", 750);
        add_last("steps_to_excess_0.05", 1250);
        add_last("tokens_to_excess_0.1", 750 * 512);
        add_last("tokens_to_excess_0.05", 1250 * 512);
    }
    return out;
}

inline lab::results runs(lab::manifest const& m) {
    lab::results out;
    for (auto const& policy : m.policies)
        for (int seed : m.seeds) out.merge(run(m, policy, seed));
    return out;
}

/// Causal maps of 3 layers, 4 heads: a share `bos` on key 0, the rest on near keys, and two queries that look two keys back.
inline lab::sample maps(std::string const& policy, int seed) {
    constexpr lab::index_t L = 3, H = 4, T = 20;
    lab::sample s{policy, seed, {}, {}, lab::tensor<float, 4>({L, H, T, T}, 0)};
    for (lab::index_t t = 0; t < T; ++t) {
        s.tokens.push_back(t == 0 ? 0 : 4 + t);
        s.labels.push_back(t == 0 ? "<bos>" : t % 6 == 5 ? "t1" : std::to_string(4 + t));
    }
    for (lab::index_t l = 0; l < L; ++l)
        for (lab::index_t h = 0; h < H; ++h)
            for (lab::index_t i = 0; i < T; ++i) {
                double const bos = i == 0 ? 1 : grows(policy) ? .9 - .1 * static_cast<double>(h) : .05;
                bool const copies = i % 6 == 5 && l == 0;
                double total = 0;
                auto weight = [&](lab::index_t j) { return copies ? (j == i - 1 ? 1.0 : 0.01) : std::exp(-.3 * static_cast<double>(i - j)); };
                for (lab::index_t j = copies ? 0 : 1; j <= i; ++j) total += weight(j);
                for (lab::index_t j = 0; j <= i; ++j)
                    s.pattern(l, h, i, j) = static_cast<float>(copies ? weight(j) / total : j == 0 ? bos : (1 - bos) * weight(j) / total);
            }
    return s;
}

}  // namespace synthetic
