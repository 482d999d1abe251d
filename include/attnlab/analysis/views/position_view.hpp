#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/views/position_figures.hpp>
#include <attnlab/analysis/views/survey_json.hpp>
#include <attnlab/analysis/views/view.hpp>
#include <attnlab/analysis/views/words.hpp>

/// \file
/// `analyze position`: where outliers are. By layer, channel, head, token and weight.

namespace attnlab {
namespace detail {

template <class Site>
view_table rows_table(rows_survey<Site> const& s, std::string name, std::string title, char const* of) {
    view_table out{
        std::move(name),
        {std::move(title),
         {"layer", "largest", "second", "third", "median", "largest / mean", "kurtosis", text("top two ", of),
          "same in sequences"}},
        {"", {"layer", "top1", "top2", "top3", "median", "max_over_mean", "kurtosis", "channel1", "channel2", "same_channels"}}};
    for (auto const& [l, seen] : s.layers()) {
        auto const all = seen.all();
        auto const [first, second] = seen.top_channels[0];
        std::vector<std::string> shown{std::to_string(l)}, exact{std::to_string(l)};
        for (double v : {all.top(0), all.top(1), all.top(2), all.median(), all.max_over_mean(), all.element_kurtosis()})
            shown.push_back(number(v)), exact.push_back(exact_cell(v));
        shown.insert(shown.end(), {text(first, ", ", second), text(number(100 * seen.same_channels(), 0), " %")});
        exact.insert(exact.end(), {std::to_string(first), std::to_string(second), exact_cell(seen.same_channels())});
        out.value.add(std::move(shown)), out.exact.add(std::move(exact));
    }
    return out;
}

/// Each outlier token once, whatever its layers.
template <class Set>
token_type_counts types_of_tokens(Set const& set, token_sequences const& x, bool as_reference) {
    token_type_counts out;
    for (auto const& e : set) {
        auto const decoded = x.at(e.at[0], e.at[1]).decoded;
        out.add(as_reference && decoded ? reference_token_type(e.at[1], *decoded) : token_type_of(e.at[1], decoded));
    }
    return out;
}

inline view_section position_of_magnitudes(survey const& s, std::string const& means, std::vector<std::string>& summary) {
    view_section out{"Magnitudes and channels by layer", {}, {}, {}};
    out.figures.push_back(
        {"magnitudes", "Largest three and median |x| of each layer, log scale." + means, position_magnitudes(s)});
    out.figures.push_back(
        {"channels", "The two channels (neurons) whose |x| is largest, layer by layer: what stays in one channel is a level row.",
         position_channels(s)});
    std::vector<std::string> runs;
    for (auto const& r : channel_runs(s.layer_out()))
        if (r.to > r.from) runs.push_back(text(r.channels[0], " and ", r.channels[1], " from layer ", r.from, " to ", r.to));
    out.paragraphs.push_back(runs.empty() ? "No two neighbouring layers put out their largest values in the same two channels."
                                          : "The same two channels lead in neighbouring layers: " + joined(runs, "; ") + ".");
    if (!runs.empty()) summary.push_back(out.paragraphs.back());
    out.tables.push_back(rows_table(s.layer_out(), "layer_out", "Layer outputs", "channels"));
    if (!s.down_in().empty())
        out.tables.push_back(rows_table(s.down_in(), "down_in", "Inputs of the down projections", "neurons"));
    return out;
}

/// \param keys_are  what the keys are, in words
inline view_section position_of_attention(attention_survey const& a, token_sequences const& x, std::vector<index_t> const& keys,
                                          std::string const& keys_are, std::string const& means,
                                          std::vector<std::string>& summary) {
    view_section out{"Attention by head", {}, {}, {}};
    auto const words = keys_text(x, keys);
    out.paragraphs.push_back(text("Looked after: ", words, " of the first sequence (", keys_are, ")."));
    out.figures.push_back(
        {"attention",
         "Left: share of all attention of a head that the keys receive, mean over heads and bars from the least head to the "
         "most. Right: largest and median column sum of the heads' mean, log scale; the dashed "
         "line is the threshold of an attention outlier." +
             means,
         position_attention(a, keys)});
    view_table t{
        "attention",
        {"", {"layer", "share of the keys", "least head", "most head", "largest sum", "second", "median", "outlier keys"}},
        {"", {"layer", "mean", "min", "max", "top1", "top2", "median", "outlier_keys"}}};
    auto const outliers = a.outliers();
    double most = -1;
    index_t most_layer = 0;
    for (auto const& [l, seen] : a.layers()) {
        auto const share = attention_survey::shares_of(seen.sums, keys);
        auto const size = attention_survey::sizes_of(attention_survey::head_mean(seen.sums));
        std::vector<std::string> found, shown{std::to_string(l)}, exact{std::to_string(l)};
        for (auto const& e : outliers)
            if (e.at[0] == 0 && e.at[1] == l) found.push_back(std::to_string(e.at[2]));
        for (double v : {share.mean, share.low, share.high, size.top1, size.top2, size.median})
            shown.push_back(number(v)), exact.push_back(exact_cell(v));
        shown.push_back(found.empty() ? absent : joined(found)), exact.push_back(joined(found, " "));
        t.value.add(std::move(shown)), t.exact.add(std::move(exact));
        if (share.mean > most) most = share.mean, most_layer = l;
    }
    out.tables.push_back(std::move(t));
    summary.push_back(text("Most attention to ", words, ": ", number(100 * most, 0), " %, mean over the heads of layer ",
                           most_layer, outliers.empty() ? "; no key is an attention outlier." : "."));
    if (a.has_negative_sums()) summary.push_back("Some keys get less than nothing: these weights have a sign, and parts of their sum are no shares.");
    return out;
}

inline view_section position_of_tokens(survey const& s, token_sequences const& x) {
    auto const activation_tokens = s.layer_out().outliers().project<axis::sequence, axis::token>();
    auto const attention_tokens = s.attention().outliers().project<axis::sequence, axis::key>();
    auto const activation = types_of_tokens(activation_tokens, x, false), attended = types_of_tokens(attention_tokens, x, false);
    view_section out{"Tokens that are outliers", {}, {}, {}};
    if (activation.total() + attended.total() == 0) {
        out.paragraphs.push_back("No token is an outlier of either kind.");
        return out;
    }
    out.figures.push_back(
        {"token_types",
         text("Types of the tokens that are outliers in any layer, each token once: ", activation.total(), " of activations, ",
              attended.total(), " of attention, in ", x.count(), x.count() == 1 ? " sequence." : " sequences."),
         position_token_types(activation, attended)});
    auto const old_activation = types_of_tokens(activation_tokens, x, true),
               old_attended = types_of_tokens(attention_tokens, x, true);
    table t{"",
            {"type", "activation outliers", "attention outliers", "activation, as the paper's code counts",
             "attention, as the paper's code counts"}};
    for (std::size_t i = 0; i < token_type_names.size(); ++i)
        t.add({std::string(token_type_names[i]), std::to_string(activation.of[i]), std::to_string(attended.of[i]),
               std::to_string(old_activation.of[i]), std::to_string(old_attended.of[i])});
    out.tables.push_back({"token_types", std::move(t), {}});
    out.paragraphs.push_back(
        "A newline is a strong delimiter here; the paper's code strips it to nothing and files it under weak words. A token "
        "whose text is not known counts as other.");
    return out;
}

inline view_section position_of_weights(weight_survey const& w, std::vector<std::string>& summary) {
    view_section out{"Weights", {}, {}, {}};
    if (!w.down.empty()) {
        out.figures.push_back({"weights",
                               "Left: ratio of the largest to the mean |W| of each column of the down projection, largest and "
                               "median column, log scale. Right: the columns (neurons) themselves.",
                               position_weights(w)});
        view_table t{"down_columns",
                     {"Columns of " + w.down_matrix,
                      {"layer", "largest ratio", "median", "columns", "row of its largest", "weight there"}},
                     {"", {"layer", "max", "median", "column1", "column2", "column3", "row1", "weight1"}}};
        std::size_t best = 0;
        for (std::size_t l = 0; l < w.down.size(); ++l) {
            auto const& d = w.down[l];
            if (d.largest > w.down[best].largest) best = l;
            std::vector<std::string> columns;
            for (index_t c : d.top) columns.push_back(std::to_string(c));
            t.value.add({std::to_string(l), number(d.largest), number(d.median), joined(columns), std::to_string(d.top_row[0]),
                         number(d.top_weight[0])});
            columns.resize(3);
            t.exact.add({std::to_string(l), exact_cell(d.largest), exact_cell(d.median), columns[0], columns[1], columns[2],
                         std::to_string(d.top_row[0]), exact_cell(d.top_weight[0])});
        }
        out.tables.push_back(std::move(t));
        summary.push_back(weight_sentence(w, best));
    }
    if (w.modules.size() > 1) {
        out.figures.push_back(
            {"modules",
             text("The larger of the largest row and column ratio of ",
                  w.modules.size() > 7 ? "the seven matrices that stand out most" : "each matrix",
                  ", log scale. The dashed line is the mean over all matrices, which the paper's code calls a median."),
             position_modules(w)});
        view_table t{"modules", {"Largest over mean |W| of a row or column", {"layer"}}, {}};
        t.value.header.insert(t.value.header.end(), w.modules.begin(), w.modules.end());
        t.exact.header = t.value.header;
        for (std::size_t l = 0; l < w.mean_of_modules.size(); ++l) {
            std::vector<std::string> shown{std::to_string(l)}, exact{std::to_string(l)};
            for (auto const& r : w.ratios) shown.push_back(number(r[l])), exact.push_back(exact_cell(r[l]));
            t.value.add(std::move(shown)), t.exact.add(std::move(exact));
        }
        out.tables.push_back(std::move(t));
    }
    return out;
}

}  // namespace detail

/// \param keys     whose share of attention is shown
/// \param numbers  survey_json of the same
inline view_page position_view(model_facts const& facts, survey const& s, weight_survey const& w, token_sequences const& x,
                               std::vector<index_t> const& keys, json numbers) {
    view_page v{text("Where outliers are: ", facts.name), {}, {}, {}};
    auto const means =
        x.count() > 1 ? text(" Means over ", x.count(), " sequences; shares of keys are of the first.") : std::string();
    v.summary.push_back(outliers_sentence(s.layer_out(), x, "Layer outputs", "channel"));
    if (!s.down_in().empty()) v.summary.push_back(outliers_sentence(s.down_in(), x, "Inputs of down projections", "neuron"));
    v.sections.push_back(detail::position_of_magnitudes(s, means, v.summary));
    v.sections.push_back(detail::position_of_attention(
        s.attention(), x, keys, numbers.at("attention").at("keys_are").get<std::string>(), means, v.summary));
    v.sections.push_back(detail::position_of_tokens(s, x));
    v.sections.push_back(detail::position_of_weights(w, v.summary));
    v.numbers = std::move(numbers);
    return v;
}

}  // namespace attnlab
