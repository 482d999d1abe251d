#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <attnlab/analysis/format.hpp>
#include <attnlab/analysis/views/position_figures.hpp>
#include <attnlab/analysis/views/survey_json.hpp>
#include <attnlab/analysis/views/view.hpp>

/// \file
/// `analyze position`: where outliers are. By layer, channel, head, token and weight.

namespace attnlab {

/// "layer 2, token 53 '.', channel 14".
inline std::string place_words(index_t layer, token_sequences const& x, index_t token, index_t channel, char const* of = "channel") {
    return text("layer ", layer, ", token ", token, " '", x.at(0, token).shown, "', ", of, " ", channel);
}

namespace detail {

template <class Site>
std::string outliers_sentence(rows_survey<Site> const& s, token_sequences const& x, std::string const& where, char const* of) {
    auto const set = s.outliers();
    std::vector<index_t> layers;
    for (auto const& e : set)
        if (layers.empty() || std::find(layers.begin(), layers.end(), e.at[1]) == layers.end()) layers.push_back(e.at[1]);
    auto const rule = text(number(s.factor()), " times the mean |x|");
    if (!layers.empty()) {
        std::sort(layers.begin(), layers.end());
        std::vector<std::string> names;
        for (index_t l : layers) names.push_back(std::to_string(l));
        return text(where, ": outliers (above ", rule, ") in layer", names.size() > 1 ? "s " : " ", listed(names), "; ", set.size(), " values of ", x.count(),
                    x.count() == 1 ? " sequence." : " sequences.");
    }
    index_t best = s.layers().begin()->first;
    auto const ratio = [&](index_t l) { return s.at(l).first.max_over_mean(); };
    for (auto const& [l, seen] : s.layers())
        if (ratio(l) > ratio(best)) best = l;
    auto const& top = s.at(best).largest.at(0);
    return text(where, ": no outlier by the rule of ", rule, "; the largest ratio is ", number(ratio(best)), ", at ", place_words(best, x, top.token, top.channel, of), ".");
}

template <class Site>
table rows_table(rows_survey<Site> const& s, char const* of) {
    table t{"", {"layer", "largest", "second", "third", "median", "largest / mean", "kurtosis", text("top two ", of), "same in sequences"}};
    for (auto const& [l, seen] : s.layers()) {
        auto const all = seen.all();
        t.add({std::to_string(l), number(all.top(0)), number(all.top(1)), number(all.top(2)), number(all.median()), number(all.max_over_mean()), number(all.element_kurtosis()),
               text(seen.top_channels[0][0], ", ", seen.top_channels[0][1]), text(number(100 * seen.same_channels(), 0), " %")});
    }
    return t;
}
template <class Site>
table exact_rows(rows_survey<Site> const& s) {
    table t{"", {"layer", "top1", "top2", "top3", "median", "max_over_mean", "kurtosis", "channel1", "channel2", "same_channels"}};
    for (auto const& [l, seen] : s.layers()) {
        auto const all = seen.all();
        t.add({std::to_string(l), exact_cell(all.top(0)), exact_cell(all.top(1)), exact_cell(all.top(2)), exact_cell(all.median()), exact_cell(all.max_over_mean()),
               exact_cell(all.element_kurtosis()), std::to_string(seen.top_channels[0][0]), std::to_string(seen.top_channels[0][1]), exact_cell(seen.same_channels())});
    }
    return t;
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

}  // namespace detail

/// \param numbers  survey_json of the same
inline view_page position_view(model_facts const& facts, survey const& s, weight_survey const& w, token_sequences const& x, std::vector<index_t> const& keys, json numbers) {
    view_page v{text("Where outliers are: ", facts.name), {}, {}, {}};
    auto const& a = s.attention();
    auto const means = x.count() > 1 ? text(" Means over ", x.count(), " sequences.") : std::string();
    v.summary.push_back(detail::outliers_sentence(s.layer_out(), x, "Layer outputs", "channel"));
    if (!s.down_in().empty()) v.summary.push_back(detail::outliers_sentence(s.down_in(), x, "Inputs of down projections", "neuron"));

    view_section magnitudes{"Magnitudes and channels by layer", {}, {}, {}};
    magnitudes.figures.push_back({"magnitudes", "Largest three and median |x| of each layer, log scale." + means, position_magnitudes(s)});
    magnitudes.figures.push_back({"channels", "The two channels (neurons) whose |x| is largest, layer by layer: what stays in one channel is a level row.", position_channels(s)});
    std::vector<std::string> runs;
    for (auto const& r : channel_runs(s.layer_out()))
        if (r.to > r.from) runs.push_back(text(r.channels[0], " and ", r.channels[1], " from layer ", r.from, " to ", r.to));
    magnitudes.paragraphs.push_back(runs.empty() ? "No two neighbouring layers put out their largest values in the same two channels."
                                                 : "The same two channels lead in neighbouring layers: " + joined(runs, "; ") + ".");
    if (!runs.empty()) v.summary.push_back(magnitudes.paragraphs.back());
    auto layer_table = detail::rows_table(s.layer_out(), "channels");
    layer_table.title = "Layer outputs";
    magnitudes.tables.push_back({"layer_out", std::move(layer_table), detail::exact_rows(s.layer_out())});
    if (!s.down_in().empty()) {
        auto down_table = detail::rows_table(s.down_in(), "neurons");
        down_table.title = "Inputs of the down projections";
        magnitudes.tables.push_back({"down_in", std::move(down_table), detail::exact_rows(s.down_in())});
    }
    v.sections.push_back(std::move(magnitudes));

    view_section attention{"Attention by head", {}, {}, {}};
    std::vector<std::string> key_words;
    for (index_t k : keys) key_words.push_back(text(k, " '", x.at(0, k).shown, "'"));
    auto const are = numbers.at("attention").at("keys_are").get<std::string>();
    auto const shown_keys = key_words.size() <= 12 ? listed(key_words) : text(listed({key_words.begin(), key_words.begin() + 12}), " and ", key_words.size() - 12, " more");
    attention.paragraphs.push_back(text("The keys are positions ", shown_keys, " of the first sequence (", are, ")."));
    attention.figures.push_back({"attention", "Left: share of all attention of a head that the keys receive, mean over heads and bars from the least head to the most. Right: largest and median column sum "
                                 "of the heads' mean, log scale; the dashed line is the threshold of an attention outlier, a tenth of T." + means, position_attention(a, keys)});
    table heads{"", {"layer", "share of the keys", "least head", "most head", "largest sum", "second", "median", "outlier keys"}};
    table heads_exact{"", {"layer", "mean", "min", "max", "top1", "top2", "median", "outlier_keys"}};
    auto const outlier_keys = a.outliers();
    for (auto const& [l, seen] : a.layers()) {
        auto const share = attention_survey::shares_of(seen.sums, keys);
        auto const size = attention_survey::sizes_of(attention_survey::head_mean(seen.sums));
        std::vector<std::string> found;
        for (auto const& e : outlier_keys)
            if (e.at[0] == 0 && e.at[1] == l) found.push_back(std::to_string(e.at[2]));
        heads.add({std::to_string(l), number(share.mean), number(share.low), number(share.high), number(size.top1), number(size.top2), number(size.median), found.empty() ? absent : joined(found)});
        heads_exact.add({std::to_string(l), exact_cell(share.mean), exact_cell(share.low), exact_cell(share.high), exact_cell(size.top1), exact_cell(size.top2), exact_cell(size.median), joined(found, " ")});
    }
    attention.tables.push_back({"attention", std::move(heads), std::move(heads_exact)});
    double most = 0;
    index_t most_layer = 0;
    for (auto const& [l, seen] : a.layers())
        if (double const share = attention_survey::shares_of(seen.sums, keys).mean; share > most) most = share, most_layer = l;
    v.summary.push_back(text("Keys ", shown_keys, " receive up to ", number(100 * most, 0), " % of the attention (layer ", most_layer, ", mean over heads)",
                             are == "attention outliers of any layer" ? "." : "; no key is an attention outlier."));
    v.sections.push_back(std::move(attention));

    auto const activation_tokens = s.layer_out().outliers().project<axis::sequence, axis::token>();
    auto const attention_tokens = outlier_keys.project<axis::sequence, axis::key>();
    auto const activation = detail::types_of_tokens(activation_tokens, x, false), attended = detail::types_of_tokens(attention_tokens, x, false);
    view_section types{"Tokens that are outliers", {}, {}, {}};
    if (activation.total() + attended.total() > 0) {
        types.figures.push_back({"token_types", text("Types of the tokens that are outliers in any layer, each token once: ", activation.total(), " of activations, ", attended.total(), " of attention, in ",
                                                     x.count(), x.count() == 1 ? " sequence." : " sequences."), position_token_types(activation, attended)});
        auto const old_activation = detail::types_of_tokens(activation_tokens, x, true), old_attended = detail::types_of_tokens(attention_tokens, x, true);
        table t{"", {"type", "activation outliers", "attention outliers", "activation, as the paper's code counts", "attention, as the paper's code counts"}};
        for (std::size_t i = 0; i < token_type_names.size(); ++i)
            t.add({std::string(token_type_names[i]), std::to_string(activation.of[i]), std::to_string(attended.of[i]), std::to_string(old_activation.of[i]), std::to_string(old_attended.of[i])});
        types.tables.push_back({"token_types", std::move(t), {}});
        types.paragraphs.push_back("A newline is a strong delimiter here; the paper's code strips it to nothing and files it under weak words. A token whose text is not known counts as other.");
    } else {
        types.paragraphs.push_back("No token is an outlier of either kind.");
    }
    v.sections.push_back(std::move(types));

    if (!w.modules.empty()) {
        view_section weights{"Weights", {}, {}, {}};
        if (!w.down.empty()) {
            weights.figures.push_back({"weights", "Left: ratio of the largest to the mean |W| of each column of the down projection, largest and median column, log scale. Right: the columns (neurons) themselves.",
                                       position_weights(w)});
            table t{"", {"layer", "largest ratio", "median", "column 1", "column 2", "column 3", "row of its largest", "weight there"}};
            table exact{"", {"layer", "max", "median", "column1", "column2", "column3", "row1", "weight1"}};
            for (std::size_t l = 0; l < w.down.size(); ++l) {
                auto const& d = w.down[l];
                auto const column = [&](std::size_t k) { return k < d.top.size() ? std::to_string(d.top[k]) : std::string(); };
                t.add({std::to_string(l), number(d.largest), number(d.median), column(0), column(1), column(2), std::to_string(d.top_row[0]), number(d.top_weight[0])});
                exact.add({std::to_string(l), exact_cell(d.largest), exact_cell(d.median), column(0), column(1), column(2), std::to_string(d.top_row[0]), exact_cell(d.top_weight[0])});
            }
            weights.tables.push_back({"down_columns", std::move(t), std::move(exact)});
            std::size_t best = 0;
            for (std::size_t l = 0; l < w.down.size(); ++l)
                if (w.down[l].largest > w.down[best].largest) best = l;
            v.summary.push_back(text("The column of ", w.down_matrix, " that stands out most: ", w.down[best].top[0], " of layer ", best, ", largest over mean |W| ", number(w.down[best].largest),
                                     ", where the median column has ", number(w.down[best].median), "."));
        }
        if (w.modules.size() > 1) {
            weights.figures.push_back({"modules", "The larger of the largest row and column ratio of each matrix, log scale. The dashed line is the mean over all matrices, which the paper's code calls a median.",
                                       position_modules(w)});
            table t{"", {"layer"}};
            t.header.insert(t.header.end(), w.modules.begin(), w.modules.end());
            for (std::size_t l = 0; l < w.mean_of_modules.size(); ++l) {
                std::vector<std::string> row{std::to_string(l)};
                for (auto const& r : w.ratios) row.push_back(exact_cell(r[l]));
                t.add(std::move(row));
            }
            auto shown = t;
            for (auto& row : shown.rows)
                for (std::size_t c = 1; c < row.size(); ++c) row[c] = number(std::stod(row[c]));
            weights.tables.push_back({"modules", std::move(shown), std::move(t)});
        }
        v.sections.push_back(std::move(weights));
    }
    v.numbers = std::move(numbers);
    return v;
}

}  // namespace attnlab
