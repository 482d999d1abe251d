#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/compression.hpp>
#include <attnlab/core/error.hpp>

/// \file
/// Every number attnlab reports, by name: the single source of units, definitions and references. docs/results.schema.json lists the
/// same names; a test compares the two.

namespace attnlab {

/// A head is a sink when its BOS mass passes this (Gu et al. 2410.10781 use the same eps for alpha_0).
inline constexpr double sink_threshold = 0.3;
/// A value is drained when |v_0| falls below this share of the other values' mean norm.
inline constexpr double drain_threshold = 0.3;
/// A stream has a residual peak when |h_0| passes this many times the other tokens' mean. Ours: 2410.13835 names no number.
inline constexpr double peak_threshold = 3;

/// Percentiles that stand for the distribution of a scale.
inline constexpr int scale_percentiles[] = {5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95};

/// What a name in a result means.
struct metric {
    std::string name, unit, definition, source;
};

namespace detail {
/// The residual stream is read twice in each layer, by the same measures.
inline void add_stream_metrics(std::vector<metric>& all, std::string const& site, std::string const& place) {
    auto add = [&](char const* name, char const* unit, char const* definition, char const* source) {
        all.push_back({site + name, unit, place + definition, source});
    };
    add("kurtosis", "", "E[x^4] / E[x^2]^2 over sequences, tokens and channels (3 for a centred Gaussian)", "2306.12929, uncentred");
    add("max_over_mean", "", "max |x| over mean |x|, over sequences, tokens and channels", "2502.06415");
    add("max_over_median", "", "max |x| over median |x| of a sequence; mean over sequences", "2402.17762");
    add("bos_norm_ratio", "", "residual peak: mean |h_0| over mean |h_t|, t > 0", "2410.13835");
    add("top1", "", "largest |x| of a sequence; mean over sequences", "2402.17762, 2502.06415 (layerwise figure)");
    add("top2", "", "second largest |x| of a sequence; mean over sequences", "2402.17762, 2502.06415 (layerwise figure)");
    add("top3", "", "third largest |x| of a sequence; mean over sequences", "2402.17762, 2502.06415 (layerwise figure)");
    add("median", "", "median |x| of a sequence; mean over sequences", "2402.17762, 2502.06415 (layerwise figure)");
    add("outliers_1000x", "tokens", "tokens with max_c |h[t,c]| > 1000 mean |h| of their sequence, counted", "2502.06415");
    add("outliers_50x", "tokens", "tokens with max_c |h[t,c]| > 50 mean |h| of their sequence, counted", "2502.06415, smaller factor");
    add("outliers_custom", "tokens", "tokens with max_c |h[t,c]| > outlier_factor x mean |h| of their sequence, counted",
        "2502.06415, the user's factor");
}

/// A sink read as a scale (interventions/sink_as_scale.hpp): S_i = 1 - P[i, 0] over queries i > 0.
inline void add_sink_scale_metrics(std::vector<metric>& all) {
    auto add = [&](std::string const& name, char const* unit, std::string const& definition, char const* source = "2502.06415, measured here") {
        all.push_back({"sink_scale." + name, unit, definition, source});
    };
    add("obstacle", "",
        "what keeps a sink from being read as a scale: 0 nothing, 1 a prologue, 2 weights that do not sum to 1, 3 a slot, 4 an output joint, 5 grouped queries, 6 a family of Hugging Face");
    add("sinks", "heads", "heads whose S_i = 1 - P[i,0] is below 1 - 0.3 in the mean over queries i > 0: those that are intervened on, all at once");
    add("mean", "", "mean of a head's S_i over queries and sequences");
    add("variance", "", "variance of a head's S_i over queries and sequences");
    for (int p : scale_percentiles) add("p" + std::to_string(p), "", std::to_string(p) + " % of a head's S_i are below this");
    add("sink_part", "", "mean of |a_i v_0| / |o_i|, a_i = P[i,0]: how much of a head's output comes from the sink");
    add("excess_risk", "nats/token", "change of the loss when the head's output is zero", "2410.13835");
    for (auto const& [name, what] : {std::pair{"zero_value", "v_0 of the sink heads is zero"},
                                     {"mean_scale", "S_i of each sink head is its mean over queries and sequences"},
                                     {"constant_sink", "k_0 and v_0 of the sink heads are their means over sequences: an attention bias in their place"}}) {
        add(name, "nats/token", std::string("change of the loss when ") + what);
        add(std::string(name) + ".noise", "nats/token", std::string("half the 95 % interval, over evaluation sequences, of the change of the loss when ") + what, "paired, Student's t");
    }
    add("correlation", "", "correlation of the sink heads' S_i with the explicit scale of context_scale runs on the same tokens; heads matched one to one for the largest sum; mean over pairs and runs");
    add("correlation.chance", "", "the same, matched anew, with the sequences of one side in another order: mean over 100 orders");
    add("correlation.p", "", "share of the orders that reach the correlation, (1 + n) / 101: the largest over context_scale runs");
}

inline std::vector<metric> make_metrics() {
    std::vector<metric> all = {
        // what was learned
        {"loss", "nats/token", "mean cross-entropy over the evaluation sequences", ""},
        {"train_loss", "nats/token", "mean cross-entropy over training batches: those of every log_interval steps since the last row, or eval_iters others", ""},
        {"bits_per_byte", "bits", "evaluation loss in bits, divided by the bytes the tokens stand for", ""},
        {"floor", "nats/token", "entropy rate of the Bigram-Backcopy source: the least expected loss", "2410.13835 (task)"},
        {"excess", "nats/token",
         "mean over positions of KL(true next-token law || model), -log p(copied token) at triggers: loss above the floor without "
         "sampling noise", ""},
        {"copy_loss", "nats", "mean -log p(copied token) at trigger positions", "2410.13835 (task)"},
        {"copy_accuracy", "share", "share of trigger positions at which the copied token is the most likely", "2410.13835 (task)"},
        // what it cost
        {"steps_to_excess_0.1", "steps", "first evaluated step with excess <= 0.1 nats", ""},
        {"tokens_to_excess_0.1", "tokens", "training tokens seen at the first evaluated step with excess <= 0.1 nats", ""},
        {"steps_to_excess_0.05", "steps", "first evaluated step with excess <= 0.05 nats", ""},
        {"tokens_to_excess_0.05", "tokens", "training tokens seen at the first evaluated step with excess <= 0.05 nats", ""},
        {"tokens_seen", "tokens", "training tokens seen so far", ""},
        {"tokens_per_second", "tokens/s", "training tokens over training seconds, evaluations excluded", ""},
        {"mfu", "share", "of a GPU's bfloat16 products at its highest clock: (6 N + 6 L C T) tokens per second, the causal half of attention counted", "2204.02311, appendix B"},
        {"train_seconds", "s", "seconds spent on training steps", ""},
        {"gradient_norm", "", "norm of the whole gradient before clipping, mean over every log_interval steps since the last row", ""},
        {"parameters", "", "number of learned values", ""},
        // where attention goes
        {"bos_mass", "weight", "mean attention weight on key 0 over queries 1..T-1; the mean over heads or layers where no head or layer is named",
         "2410.13835"},
        {"bos_mass_trigger", "weight", "the same over queries that are triggers (the head has a token to copy)", "2410.13835 (active)"},
        {"bos_mass_ordinary", "weight", "the same over queries that are not triggers", "2410.13835 (dormant)"},
        {"bos_mass_gated", "weight", "mean over queries 1..T-1 of weight on key 0 times the head's gate: BOS mass that reaches the stream", ""},
        {"bos_mass_max", "weight", "largest BOS mass of a head", ""},
        {"bos_mass_uniform", "weight", "BOS mass of attention that spreads evenly over the keys it sees", ""},
        {"negative_weights", "share", "share of the weights that are not 0 which are below it; there only where some are: masses are then sums of signed weights", ""},
        {"first_token_share", "weight", "mean of P[i,0] over layers, heads and queries i > 0", "2505.06708 (F-Attn)"},
        {"sink_rate", "share", "share of (head, sequence) pairs with alpha_0 = mean_{i>=0} P[i,0] > 0.3", "2410.10781"},
        {"sink_heads", "share", "share of heads with BOS mass > 0.3", "2410.13835"},
        {"heads", "heads", "number of attention heads looked at", ""},
        {"slot_mass", "weight", "mean weight on the learned key beside the sequence, over queries 0..T-1 (0 where the policy has none)",
         "2502.06415 (d)"},
        {"gate", "", "mean factor on the head's output, over queries 0..T-1 (1 where the policy has none)", "2502.06415 (e)"},
        {"value_ratio", "", "value drain: mean |v_0| over mean |v_j|, j > 0, per head; the mean of the heads' ratios where no head is named",
         "2410.13835"},
        {"value_ratio_min", "", "smallest value ratio of a head", "2410.13835"},
        {"sinks_and_drains", "heads", "number of heads with BOS mass > 0.3 and value ratio < 0.3", "2410.13835, joined here"},
        // while training, over a few fixed sequences
        {"sink_share", "weight", "mean over queries 0..T-1 of the weight on key 0, over the sequences looked at while training", "2410.10781 (alpha_0)"},
        {"top_key", "position", "the key that gets the most weight, summed over queries, in the most of those sequences", ""},
        {"top_key_share", "weight", "sum_i P[i,j] / T of the key with the most weight; mean over those sequences", "2502.06415, a_j / T per head"},
        {"attention_entropy", "nats", "mean over queries of -sum_j P log P, over those sequences", ""},
        {"largest_score", "", "largest score of a head over those sequences", "QK-clip"},
        {"residual_peak", "", "mean |h_0| over mean |h_t|, t > 0, of the stream that enters the layer, over those sequences", "2410.13835"},
        {"steps_to_sink", "steps", "first look from which the head's sink share stays above 0.3", "2410.10781"},
        {"steps_to_peak", "steps", "first look from which the layer's residual peak stays above 3", "2410.13835, threshold ours"},
        // how much was looked at
        {"sequences", "", "evaluation sequences behind these rows", ""},
        {"length", "tokens", "their length T", ""},
        {"outlier_factor", "", "the factor behind outliers_custom, chosen by the user", ""},
        {"not_finite", "", "numbers (and value vectors) met that are NaN or infinite: counted here, left out of every other score", ""},
    };
    add_stream_metrics(all, "resid_pre.", "the stream entering the layer: ");
    add_stream_metrics(all, "resid_post.", "the layer's output: ");
    for (auto const& c : compressions())
        all.push_back({"compression." + c.name, "nats/token", "change of the loss with the Linears of the blocks compressed after training: " + description(c),
                       c.pruned != 0 ? "magnitude pruning" : "fake quantisation, 2502.06415 for weights"});
    add_sink_scale_metrics(all);
    return all;
}
}  // namespace detail

/// All metrics, in the order in which a report lists them.
inline std::vector<metric> const& metrics() {
    static std::vector<metric> const all = detail::make_metrics();
    return all;
}

/// The metric of that name, or a null pointer.
inline metric const* find_metric(std::string_view name) {
    auto const& all = metrics();
    auto const it = std::find_if(all.begin(), all.end(), [&](metric const& m) { return m.name == name; });
    return it == all.end() ? nullptr : &*it;
}

/// The metric of that name. \throws error when there is none
inline metric const& metric_named(std::string_view name) {
    auto const* m = find_metric(name);
    if (!m) fail("results: metric '", name, "': expected a name of attnlab/analysis/metrics.hpp or a definition of its own");
    return *m;
}

}  // namespace attnlab
