#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <attnlab/analysis/sample.hpp>
#include <attnlab/analysis/attention_scores.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/io/figure.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// Attention maps of sample sequences: queries down, keys across.

namespace attnlab {

/// The head of a layer that gives key 0 the most.
inline index_t strongest_sink(sample const& s, index_t layer) {
    index_t best = 0;
    for (index_t h = 1; h < s.heads(); ++h)
        if (bos_mass(s.map(layer, h)) > bos_mass(s.map(layer, best))) best = h;
    return best;
}

/// A head of a sample.
struct head_place {
    std::size_t sample = 0;
    index_t layer = 0, head = 0;
};

/// The head whose weight on key 0 changes the most from query to query (largest variance over queries 1..T-1): where a head that is
/// dormant at some tokens and active at others is best seen.
inline head_place most_switching_head(std::vector<sample> const& samples) {
    head_place best;
    double most = -1;
    for (std::size_t k = 0; k < samples.size(); ++k)
        for (index_t l = 0; l < samples[k].layers(); ++l)
            for (index_t h = 0; h < samples[k].heads(); ++h) {
                moments weight;
                for (index_t i = 1; i < samples[k].length(); ++i) weight.add(static_cast<double>(samples[k].map(l, h)(i, 0)));
                double const variance = weight.rms() * weight.rms() - weight.mean() * weight.mean();
                if (variance > most) most = variance, best = {k, l, h};
            }
    return best;
}

namespace detail {

inline heat_map blank_map(sample const& s) {
    auto const T = static_cast<std::size_t>(s.length());
    return {T, T, std::vector<double>(T * T, 0)};
}
inline heat_map head_map(sample const& s, index_t layer, index_t head) {
    auto out = blank_map(s);
    std::copy(s.map(layer, head).begin(), s.map(layer, head).end(), out.values.begin());
    return out;
}
inline heat_map mean_map(sample const& s, index_t layer) {
    auto out = blank_map(s);
    for (index_t h = 0; h < s.heads(); ++h) {
        auto const map = s.map(layer, h);
        for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] += static_cast<double>(map.data()[i]) / static_cast<double>(s.heads());
    }
    return out;
}

/// First, middle and last layer of a deep model; all of up to three.
inline std::vector<index_t> shown_layers(index_t layers) {
    std::vector<index_t> out;
    for (index_t l : {index_t{0}, layers / 2, layers - 1})
        if (out.empty() || l > out.back()) out.push_back(l);
    return out;
}

inline figure map_grid() {
    figure f;
    f.width = 900;
    f.colour.label = "attention weight";
    f.colour.range = {0, 1};
    return f;
}

}  // namespace detail

/// A row a sample (one a policy), two columns a layer: the mean of the heads, and the head that gives key 0 the most. Models of
/// different depth or length do not share a grid: \throws error
inline figure map_figure(std::vector<sample> const& samples) {
    require(!samples.empty(), "attention maps: expected at least one sample");
    auto f = detail::map_grid();
    auto const layers = detail::shown_layers(samples[0].layers());
    f.columns = 2 * layers.size();
    for (index_t l : layers) {
        f.column_titles.push_back("L" + std::to_string(l) + " mean");
        f.column_titles.push_back("L" + std::to_string(l) + " most on BOS");
    }
    for (auto const& s : samples) {
        require(s.layers() == samples[0].layers() && s.length() == samples[0].length(), "attention maps: ", s.policy, ": expected ",
                samples[0].layers(), " layers and ", samples[0].length(), " tokens, as ", samples[0].policy, " has");
        f.row_titles.push_back(s.policy);
        for (index_t l : layers) {
            for (auto& map : {detail::mean_map(s, l), detail::head_map(s, l, strongest_sink(s, l))}) {
                panel p;
                p.map = map;
                f.panels.push_back(std::move(p));
            }
        }
    }
    return f;
}

/// One head with its tokens named.
inline figure close_up_figure(sample const& s, index_t layer, index_t head) {
    auto f = detail::map_grid();
    f.width = 720;
    panel p;
    p.x.label = "key";
    p.y.label = "query";
    p.x.names = p.y.names = s.labels;
    p.map = detail::head_map(s, layer, head);
    f.panels.push_back(std::move(p));
    return f;
}

}  // namespace attnlab
