#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <attnlab/analysis/outliers/json.hpp>
#include <attnlab/analysis/token_types.hpp>
#include <attnlab/analysis/views/overlaps.hpp>
#include <attnlab/analysis/views/survey.hpp>
#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/analysis/views/weight_survey.hpp>
#include <attnlab/io/json.hpp>

/// \file
/// A survey as JSON. The keys mean what the paper's code computes (docs/analysis.md): of the first sequence, but for what stands
/// in "over_sequences".

namespace attnlab {

inline json json_numbers(std::vector<double> const& values) {
    json out = json::array();
    for (double v : values) out.push_back(json_number(v));
    return out;
}

/// Magnitudes, channels, outliers and kurtosis, one element a layer; null for a layer that was not seen.
template <class Site>
json to_json(rows_survey<Site> const& s, index_t layers) {
    json out{{"layer_magnitudes", json::array()},
             {"top2_channels", json::array()},
             {"activation_outliers", json::array()},
             {"kurtosis", json::array()},
             {"largest", json::array()}};
    auto const set = s.outliers();
    for (index_t l = 0; l < layers; ++l) {
        if (!s.has(l)) {
            for (auto& [name, list] : out.items()) list.push_back(nullptr);
            continue;
        }
        auto const& seen = s.at(l);
        auto const& first = seen.first;
        out["layer_magnitudes"].push_back(json_numbers({first.top(0), first.top(1), first.top(2), first.median()}));
        out["top2_channels"].push_back(seen.top_channels[0]);
        json entries = json::array(), tokens = json::array();
        for (auto const& e : set)
            if (e.at[0] == 0 && e.at[1] == l) {
                entries.push_back({e.at[2], e.at[3]});
                if (tokens.empty() || tokens.back() != e.at[2]) tokens.push_back(e.at[2]);
            }
        out["activation_outliers"].push_back(
            {{"threshold", json_number(s.threshold(l))}, {"entries", entries}, {"tokens", tokens}});
        out["kurtosis"].push_back(
            {{"flat", json_number(first.element_kurtosis())}, {"token_mean", json_number(first.mean_token_kurtosis())}});
        json largest = json::array();
        for (auto const& e : seen.largest)
            largest.push_back({{"token", e.token}, {"channel", e.channel}, {"value", json_number(e.value)}});
        out["largest"].push_back(largest);
    }
    out["channel_runs"] = json::array();
    for (auto const& r : channel_runs(s))
        out["channel_runs"].push_back({{"channels", r.channels}, {"from_layer", r.from}, {"to_layer", r.to}});
    return out;
}

/// \param keys  whose share of each head is asked
inline json to_json(attention_survey const& s, std::vector<index_t> const& keys, std::string const& keys_are) {
    auto const& layers = s.layers();
    auto const T = s.layers().begin()->second.sums.shape(1);
    json ratio{{"per_head", json::array()}, {"mean", json::array()}, {"max", json::array()}, {"min", json::array()}};
    json sizes{{"top1", json::array()}, {"top2", json::array()}, {"median", json::array()}};
    json per_layer_first = json::array();
    std::vector<double> all_tokens(static_cast<std::size_t>(T));
    double heads = 0;
    std::vector<std::vector<index_t>> outliers(layers.size());
    for (auto const& e : s.outliers())
        if (e.at[0] == 0) outliers[static_cast<std::size_t>(e.at[1])].push_back(e.at[2]);
    auto const sinks = s.sinks();
    for (auto const& [l, seen] : layers) {
        auto const shares = attention_survey::shares_of(seen.sums, keys);
        ratio["per_head"].push_back(json_numbers(shares.per_head));
        ratio["mean"].push_back(json_number(shares.mean)), ratio["max"].push_back(json_number(shares.high)),
            ratio["min"].push_back(json_number(shares.low));
        auto const size = attention_survey::sizes_of(attention_survey::head_mean(seen.sums));
        sizes["top1"].push_back(json_number(size.top1)), sizes["top2"].push_back(json_number(size.top2)),
            sizes["median"].push_back(json_number(size.median));
        double const H = static_cast<double>(seen.sums.shape(0));
        double first = 0;
        for (auto const& e : sinks)
            if (e.at[0] == 0 && e.at[1] == l) ++all_tokens[static_cast<std::size_t>(e.at[3])], first += e.at[3] == 0;
        per_layer_first.push_back(first / H);
        heads += H;
    }
    for (double& share : all_tokens) share /= heads;
    return {{"T", T},
            {"keys", keys},
            {"keys_are", keys_are},
            {"head_ratio", ratio},
            {"layer_attention", sizes},
            {"attention_outliers", outliers},
            {"sink",
             {{"eps", s.sinks_by().eps},
              {"first_token", all_tokens[0]},
              {"all_tokens", all_tokens},
              {"per_layer_first", per_layer_first}}}};
}

inline json to_json(weight_survey const& w) {
    json modules = json::object(), columns = json::array();
    for (std::size_t m = 0; m < w.modules.size(); ++m) modules[w.modules[m]] = json_numbers(w.ratios[m]);
    for (auto const& d : w.down)
        columns.push_back({{"max", json_number(d.largest)},
                           {"median", json_number(d.median)},
                           {"top3", d.top},
                           {"top3_ratio", json_numbers(d.top_ratio)},
                           {"top3_row", d.top_row},
                           {"top3_weight", json_numbers(d.top_weight)}});
    json out{{"modules", modules}, {"reference_mean", json_numbers(w.mean_of_modules)}, {"down_columns", columns}};
    out["outliers"] = w.outliers ? to_json(*w.outliers) : json();
    return out;
}

/// Types of the tokens that a set has, layer by layer: of the first sequence, or over all. The set is over sequence, layer and
/// token.
template <class Set>
std::vector<token_type_counts> types_by_layer(Set const& set, token_sequences const& x, index_t layers, bool first_only,
                                              bool as_reference) {
    std::vector<token_type_counts> out(static_cast<std::size_t>(layers));
    for (auto const& e : set) {
        if (first_only && e.at[0] != 0) continue;
        auto const decoded = x.at(e.at[0], e.at[2]).decoded;
        out[static_cast<std::size_t>(e.at[1])].add(as_reference && decoded ? reference_token_type(e.at[2], *decoded)
                                                                           : token_type_of(e.at[2], decoded));
    }
    return out;
}

inline json to_json(token_type_counts const& c) {
    json out = json::object();
    for (std::size_t i = 0; i < token_type_names.size(); ++i) out[std::string(token_type_names[i])] = c.of[i];
    return out;
}

inline json token_types_json(survey const& s, token_sequences const& x, index_t layers, bool first_only, bool as_reference) {
    auto const list = [&](auto const& set) {
        json out = json::array();
        for (auto const& c : types_by_layer(set, x, layers, first_only, as_reference)) out.push_back(to_json(c));
        return out;
    };
    return {{"activation", list(s.layer_out().outliers().template project<axis::sequence, axis::layer, axis::token>())},
            {"attention", list(s.attention().outliers())}};
}

/// Means over all sequences, and counts over all.
inline json over_sequences(survey const& s, token_sequences const& x, index_t layers) {
    json out{{"sequences", x.count()}, {"length", x.length()}};
    auto const rows = [&](auto const& of) {
        json magnitudes = json::array(), kurtosis = json::array(), same = json::array();
        for (auto const& [l, seen] : of.layers()) {
            auto const all = seen.all();
            magnitudes.push_back(json_numbers({all.top(0), all.top(1), all.top(2), all.median()}));
            kurtosis.push_back(json_number(all.element_kurtosis()));
            same.push_back(seen.same_channels());
        }
        return json{{"layer_magnitudes", magnitudes}, {"kurtosis_flat", kurtosis}, {"same_top2_channels", same}};
    };
    if (!s.layer_out().empty()) out["layer_out"] = rows(s.layer_out());
    if (!s.down_in().empty()) out["down_in"] = rows(s.down_in());
    json top1 = json::array(), top2 = json::array(), median = json::array(), share = json::array(), low = json::array(),
         high = json::array();
    for (auto const& [l, seen] : s.attention().layers()) {
        top1.push_back(json_number(seen.top1.mean())), top2.push_back(json_number(seen.top2.mean())),
            median.push_back(json_number(seen.median.mean()));
        share.push_back(json_number(seen.outlier_share.mean())), low.push_back(json_number(seen.lowest_share.mean())),
            high.push_back(json_number(seen.highest_share.mean()));
    }
    out["attention"] = {{"layer_attention", {{"top1", top1}, {"top2", top2}, {"median", median}}},
                        {"outlier_share", {{"mean", share}, {"min", low}, {"max", high}}}};
    out["token_types"] = token_types_json(s, x, layers, false, false);
    return out;
}

/// Everything that a survey found.
/// \param given_keys  whose share of attention is asked; nothing: those that are found
inline json survey_json(model_facts const& facts, survey const& s, weight_survey const& w, token_sequences const& x,
                        std::vector<index_t> const& given_keys = {}) {
    json out{{"model", facts.name},
             {"family", facts.family},
             {"attention_policy", facts.attention},
             {"stored", facts.stored},
             {"layers", facts.layers},
             {"tokens_from", x.from},
             {"sequence", "tokens[0]"},
             {"length", x.length()},
             {"bos", x.bos ? json(*x.bos) : json()},
             {"rules",
              {{"activation_factor", s.layer_out().factor()},
               {"attention_share", s.attention().rule().share},
               {"weight_factor", weight_ratio{}.factor}}}};
    out["layer_out"] = to_json(s.layer_out(), facts.layers);
    if (!s.down_in().empty()) out["down_in"] = to_json(s.down_in(), facts.layers);
    auto const& a = s.attention();
    bool const any = !a.outliers().template restrict<axis::sequence>(0, 1).empty();
    out["attention"] = given_keys.empty() ? to_json(a, a.found_keys(),
                                                    any ? "attention outliers of any layer"
                                                        : "largest column sums; there is no attention outlier")
                                          : to_json(a, given_keys, "given");
    if (!w.modules.empty()) out["weights"] = to_json(w);
    out["down_matrix"] = w.down_matrix.empty() ? json() : json(w.down_matrix);
    out["token_types"] = token_types_json(s, x, facts.layers, true, false);
    out["reference_token_types"] = token_types_json(s, x, facts.layers, true, true);
    auto const overlaps = find_overlaps(s, w);
    out["overlap"] = json::array();
    for (auto const& iou : overlaps.by_layer) out["overlap"].push_back(iou ? json_number(*iou) : json());
    out["over_sequences"] = over_sequences(s, x, facts.layers);
    return out;
}

}  // namespace attnlab
