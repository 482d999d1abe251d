#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/existence_figures.hpp>
#include <attnlab/analysis/views/survey_json.hpp>
#include <attnlab/analysis/views/view.hpp>
#include <attnlab/analysis/views/words.hpp>

/// \file
/// `analyze existence`: are there outliers, and what do they look like? Nothing is typed in: layers, tokens, channels, heads and
/// columns are those that the survey found.

namespace attnlab {

/// Layers worth a picture: the first and the last with outliers of the first sequence; without any, the one whose largest |x| is
/// furthest from its mean.
template <class Site>
std::vector<index_t> layers_to_draw(rows_survey<Site> const& s) {
    std::set<index_t> with;
    for (auto const& e : s.outliers())
        if (e.at[0] == 0) with.insert(e.at[1]);
    if (with.size() > 1) return {*with.begin(), *with.rbegin()};
    if (with.size() == 1) return {*with.begin()};
    index_t best = s.layers().begin()->first;
    for (auto const& [l, seen] : s.layers())
        if (seen.first.max_over_mean() > s.at(best).first.max_over_mean()) best = l;
    return {best};
}

/// What is marked in a layer of the first sequence: its outliers, else its largest entries; largest |x| first.
template <class Site>
std::vector<entry> entries_to_mark(rows_survey<Site> const& s, index_t layer) {
    std::vector<entry> out;
    for (auto const& e : s.outliers())
        if (e.at[0] == 0 && e.at[1] == layer) out.push_back({e.at[2], e.at[3], e.value});
    if (out.empty()) out = s.at(layer).largest;
    std::stable_sort(out.begin(), out.end(),
                     [](entry const& a, entry const& b) { return std::abs(a.value) > std::abs(b.value); });
    return out;
}

namespace detail {

template <class Site>
view_figure relief_figure(rows_survey<Site> const& s, token_sequences const& x, std::string name, std::string const& where,
                          std::string const& of) {
    std::vector<marked_map> maps;
    bool whole = true;
    for (index_t l : layers_to_draw(s)) {
        marked_map m{text("layer ", l, ", ", where), &s.at(l).map, {}, {}};
        for (auto const& e : entries_to_mark(s, l)) {
            if (m.tokens.size() < 12 && std::find(m.tokens.begin(), m.tokens.end(), e.token) == m.tokens.end())
                m.tokens.push_back(e.token);
            if (m.channels.size() < 12 && std::find(m.channels.begin(), m.channels.end(), e.channel) == m.channels.end())
                m.channels.push_back(e.channel);
        }
        whole = whole && m.map->whole();
        maps.push_back(std::move(m));
    }
    auto caption = text("|x| of every token and ", of, " of the first sequence; ",
                        s.outliers().empty() ? "the tokens of the largest values" : "tokens with outliers", " in colour.");
    if (!whole)
        caption += text(
            " Each place is the largest |x| of its block of up to ",
            (maps[0].map->rows + index_t(maps[0].map->cells_down) - 1) / index_t(maps[0].map->cells_down), " tokens and ",
            (maps[0].map->columns + index_t(maps[0].map->cells_across) - 1) / index_t(maps[0].map->cells_across), " ", of, "s.");
    return {std::move(name), std::move(caption), existence_reliefs(maps, x, of)};
}

/// Outliers of the first sequence (else the largest entries of the layers drawn), `most` of them on the page and all in the file.
template <class Site>
view_table outlier_table(rows_survey<Site> const& s, token_sequences const& x, std::string const& name, char const* of,
                         std::size_t most = 40) {
    view_table out{name,
                   {"", {"layer", "token", "text", of, "value", "|value| / mean", "|value| / median"}},
                   {"", {"layer", "token", "text", of, "value", "ratio_to_mean", "ratio_to_median"}}};
    std::size_t shown = 0, all = 0;
    auto const add = [&](index_t l, entry const& e) {
        auto const& first = s.at(l).first;
        double const a = std::abs(e.value), to_mean = a / first.mean_abs(), to_median = a / first.median();
        auto const word = x.at(0, e.token).shown;
        if (shown < most)
            ++shown, out.value.add({std::to_string(l), std::to_string(e.token), word, std::to_string(e.channel), number(e.value),
                                    number(to_mean), number(to_median)});
        out.exact.add({std::to_string(l), std::to_string(e.token), word, std::to_string(e.channel), exact_cell(e.value),
                       exact_cell(to_mean), exact_cell(to_median)});
        ++all;
    };
    bool const none = s.outliers().template restrict<axis::sequence>(0, 1).empty();
    if (none)
        for (index_t l : layers_to_draw(s))
            for (auto const& e : s.at(l).largest) add(l, e);
    else
        for (auto const& e : s.outliers())
            if (e.at[0] == 0) add(e.at[1], {e.at[2], e.at[3], e.value});
    out.value.title = none ? text("No outlier by the rule (", number(s.factor()), " times the mean); the largest values")
                           : text("Outliers: above ", number(s.factor()), " times the mean |x| of the layer");
    if (all > shown) out.value.title += text(" (", shown, " of ", all, "; the others are in ", name, ".csv)");
    return out;
}

}  // namespace detail

/// Which head of which layer is drawn: in the first layer with attention outliers and the one where the keys receive the most
/// (without any, that alone), the head that gives the keys the most.
inline std::map<index_t, index_t> heads_to_draw(attention_survey const& a, std::vector<index_t> const& keys) {
    std::map<index_t, index_t> out;
    auto const add = [&](index_t l) {
        auto const shares = attention_survey::shares_of(a.at(l).sums, keys).per_head;
        out[l] = std::max_element(shares.begin(), shares.end()) - shares.begin();
    };
    index_t best = a.layers().begin()->first;
    double most = -1;
    for (auto const& [l, seen] : a.layers())
        if (double const share = attention_survey::shares_of(seen.sums, keys).mean; share > most) most = share, best = l;
    for (auto const& e : a.outliers())
        if (e.at[0] == 0 && (out.empty() || e.at[1] < out.begin()->first)) out.clear(), add(e.at[1]);
    add(best);
    return out;
}

/// \param model  is asked for the patterns and the weight that are drawn
inline view_page existence_view(language_model& model, survey const& s, weight_survey const& w, token_sequences const& x,
                                std::vector<index_t> const& keys, json numbers) {
    auto const& facts = model.facts();
    view_page v{text("Outliers in activations, attention and weights: ", facts.name), {}, {}, {}};
    v.summary.push_back(outliers_sentence(s.layer_out(), x, "Layer outputs", "channel"));
    view_section activations{"Activations", {}, {}, {}};
    activations.figures.push_back(detail::relief_figure(s.layer_out(), x, "layer_out", "output", "channel"));
    activations.tables.push_back(detail::outlier_table(s.layer_out(), x, "layer_out_outliers", "channel"));
    activations.tables.back().value.title = "Layer outputs. " + activations.tables.back().value.title;
    if (!s.down_in().empty()) {
        v.summary.push_back(outliers_sentence(s.down_in(), x, "Inputs of down projections", "neuron"));
        activations.figures.push_back(detail::relief_figure(s.down_in(), x, "down_in", "input of the down projection", "neuron"));
        activations.tables.push_back(detail::outlier_table(s.down_in(), x, "down_in_outliers", "neuron"));
        activations.tables.back().value.title = "Inputs of down projections. " + activations.tables.back().value.title;
    }
    v.sections.push_back(std::move(activations));

    auto const start = first_tokens(x);
    index_t const T = start.shape(1);
    pattern_maps maps(heads_to_draw(s.attention(), keys));
    model.forward(start, maps);
    auto const key_words = keys_text(x, keys);
    std::vector<index_t> drawn;
    for (auto const& [l, m] : maps.layers()) drawn.push_back(l);
    view_section attention{"Attention", {}, {}, {}};
    attention.figures.push_back(
        {"attention",
         text("Attention weights, queries down, keys across",
              T < x.length() ? text(", of the first ", T, " of ", x.length(), " tokens") : std::string(),
              ": the mean of the heads, and the head that gives ", key_words, " the most. A sink is a bright column."),
         existence_patterns(maps)});
    v.summary.push_back(text("Attention is drawn in ", named("layer", drawn), ", for ", key_words, " (",
                             numbers.at("attention").at("keys_are").get<std::string>(), ")."));
    v.sections.push_back(std::move(attention));

    if (!w.down.empty()) {
        std::size_t best = 0;
        for (std::size_t l = 0; l < w.down.size(); ++l)
            if (w.down[l].largest > w.down[best].largest) best = l;
        std::set<index_t> layers{static_cast<index_t>(best)};
        if (!s.down_in().empty() && !s.down_in().outliers().empty()) layers.insert(layers_to_draw(s.down_in()).front());
        figure f;
        f.shared_axes = false, f.aspect = 0.78;
        for (index_t l : layers) {
            auto const& d = w.down[static_cast<std::size_t>(l)];
            std::vector<index_t> rows;
            for (auto const& e : *w.outliers)
                if (e.at[0] == l && e.at[2] == d.top[0]) rows.push_back(e.at[1]);
            if (rows.empty()) rows = {d.top_row[0]};
            auto const held = model.weight(l, w.down_matrix);
            f.panels.push_back(weight_panel(held, line::column, d.top[0], rows, text("layer ", l, ", ", w.down_matrix)));
        }
        f.columns = f.panels.size(), f.width = f.columns > 1 ? 1000 : 620;
        view_section weights{"Weights", {}, {}, {}};
        weights.figures.push_back({"weights",
                                   text("|W| of the columns of ", w.down_matrix,
                                        " around the one whose largest weight stands out most of its mean (in colour)."),
                                   std::move(f)});
        table t{"", {"layer", "column", "row", "W", "largest / mean |W| of the column", "median column"}};
        for (index_t l : layers) {
            auto const& d = w.down[static_cast<std::size_t>(l)];
            t.add({std::to_string(l), std::to_string(d.top[0]), std::to_string(d.top_row[0]), number(d.top_weight[0]),
                   number(d.largest), number(d.median)});
        }
        weights.tables.push_back({"", std::move(t), {}});
        v.summary.push_back(weight_sentence(w, best));
        v.sections.push_back(std::move(weights));
    }
    v.numbers = std::move(numbers);
    return v;
}

}  // namespace attnlab
