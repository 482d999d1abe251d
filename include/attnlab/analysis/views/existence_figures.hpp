#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/pattern_maps.hpp>
#include <attnlab/analysis/views/pooled_map.hpp>
#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/io/figure.hpp>

/// \file
/// Do outliers exist? Magnitudes over tokens and channels, attention over queries and keys, weights over rows and columns (2502.06415,
/// figures 1 and 13 to 22).

namespace attnlab {

/// A map to be drawn, with the tokens and channels that are marked in it.
struct marked_map {
    std::string title;
    pooled_map const* map;
    std::vector<index_t> tokens, channels;
};

/// "53 '.'" for the mark of a token.
inline std::string token_mark(token_sequences const& x, index_t token) { return text(token, " '", x.at(0, token).shown, "'"); }

/// |x| over tokens and channels, one panel a layer.
inline figure existence_reliefs(std::vector<marked_map> const& maps, token_sequences const& x, std::string const& of) {
    figure f;
    f.shared_axes = false;
    f.columns = maps.size();
    f.width = maps.size() > 1 ? 1000 : 620;
    f.aspect = 0.78;
    for (auto const& m : maps) {
        panel p;
        p.title = m.title, p.x.label = of, p.y.label = "|x|";
        relief r;
        r.rows = m.map->cells_down, r.columns = m.map->cells_across, r.row_label = "token";
        r.values.assign(m.map->values.begin(), m.map->values.end());
        for (index_t t : m.tokens) {
            r.highlighted.push_back(m.map->row_cell(t));
            r.row_marks.push_back({static_cast<double>(m.map->row_cell(t)), token_mark(x, t)});
        }
        for (index_t c : m.channels) r.column_marks.push_back({static_cast<double>(m.map->column_cell(c)), std::to_string(c)});
        p.heights = std::move(r);
        f.panels.push_back(std::move(p));
    }
    return f;
}

/// Attention weights: the mean of the heads and one head, a row of panels a layer.
inline figure existence_patterns(pattern_maps const& maps, std::vector<index_t> const& keys) {
    figure f;
    f.columns = 2;
    f.width = 860;
    f.colour.label = "attention weight";
    f.colour.range = {0, 1};
    for (auto const& [layer, m] : maps.layers()) {
        f.row_titles.push_back(text("layer ", layer));
        for (auto const* map : {&m.mean, &m.one}) {
            panel p;
            p.title = map == &m.mean ? "mean of heads" : text("head ", m.head);
            p.x.label = "key", p.y.label = "query";
            p.map = *map;
            f.panels.push_back(std::move(p));
        }
    }
    (void)keys;
    return f;
}

/// |W| of the columns around one that stands out, over the rows.
inline panel weight_panel(view<float const, 2> w, index_t layer, index_t column, std::vector<index_t> const& rows, std::string const& name) {
    index_t const first = std::max<index_t>(0, std::min(column - 5, w.shape(1) - 11)), last = std::min(w.shape(1), first + 11);
    tensor<float, 2> part({last - first, w.shape(0)});
    for (index_t c = first; c < last; ++c)
        for (index_t o = 0; o < w.shape(0); ++o) part(c - first, o) = w(o, c);
    pooled_map const map(view<float const, 2>(part), 11, 192);
    panel p;
    p.title = text("layer ", layer, ", ", name);
    p.x.label = "row (channel of the stream)", p.y.label = "|W|";
    relief r;
    r.rows = map.cells_down, r.columns = map.cells_across, r.row_label = "column (neuron)";
    r.values.assign(map.values.begin(), map.values.end());
    r.highlighted = {static_cast<std::size_t>(column - first)};
    r.row_marks.push_back({static_cast<double>(column - first), std::to_string(column)});
    for (index_t c = first; c < last; ++c) r.row_marks.push_back({static_cast<double>(c - first), std::to_string(c)});
    for (index_t o : rows) r.column_marks.push_back({static_cast<double>(map.column_cell(o)), std::to_string(o)});
    p.heights = std::move(r);
    return p;
}

}  // namespace attnlab
