#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/weight_ratio.hpp>
#include <attnlab/analysis/views/pattern_maps.hpp>
#include <attnlab/analysis/views/pooled_map.hpp>
#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/io/figure.hpp>

/// \file
/// Do outliers exist? Magnitudes over tokens and channels, attention over queries and keys, weights over rows and columns
/// (2502.06415, figures 1 and 13 to 22).

namespace attnlab {

/// A map to be drawn, with the tokens and channels that are marked in it.
struct marked_map {
    std::string title;
    pooled_map const* map;
    std::vector<index_t> tokens, channels;
};

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
inline figure existence_patterns(pattern_maps const& maps) {
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
    return f;
}

/// |W| of the lines (columns, or rows) around one that stands out, over all places of a line.
/// \param marks  places to be named
inline panel weight_panel(view<float const, 2> w, line along, index_t number, std::vector<index_t> const& marks,
                          std::string title) {
    bool const columns = along == line::column;
    index_t const lines = w.shape(columns ? 1 : 0), places = w.shape(columns ? 0 : 1);
    index_t const first = std::max<index_t>(0, std::min(number - 5, lines - 11)), last = std::min(lines, first + 11);
    tensor<float, 2> part({last - first, places});
    for (index_t i = first; i < last; ++i)
        for (index_t j = 0; j < places; ++j) part(i - first, j) = columns ? w(j, i) : w(i, j);
    pooled_map const map(view<float const, 2>(part), 11, 192);
    panel p;
    p.title = std::move(title);
    p.x.label = columns ? "row (channel)" : "column (channel)", p.y.label = "|W|";
    relief r;
    r.rows = map.cells_down, r.columns = map.cells_across, r.row_label = columns ? "column (neuron)" : "row (neuron)";
    r.values.assign(map.values.begin(), map.values.end());
    r.highlighted = {static_cast<std::size_t>(number - first)};
    r.row_marks.push_back({static_cast<double>(number - first), std::to_string(number)});
    for (index_t i = first; i < last; ++i) r.row_marks.push_back({static_cast<double>(i - first), std::to_string(i)});
    for (index_t j : marks) r.column_marks.push_back({static_cast<double>(map.column_cell(j)), std::to_string(j)});
    p.heights = std::move(r);
    return p;
}

}  // namespace attnlab
