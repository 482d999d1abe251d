#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/close_look.hpp>
#include <attnlab/analysis/views/position_figures.hpp>
#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/io/figure.hpp>

/// \file
/// The life of outliers, drawn: the timeline, and what stands at the sites of one layer, the outlier's token against all others.

namespace attnlab {
namespace detail {

/// The token's row over the channels, a band where the rows of the other tokens lie. Of a wide row each point is the extreme of a
/// few channels, so that a lone spike stays.
inline panel row_panel(std::string title, std::string_view of, std::vector<float> const& row, std::vector<float> const& low,
                       std::vector<float> const& high) {
    constexpr std::size_t most = 320;
    std::size_t const cells = std::min(most, row.size());
    curve token, others;
    token.label = "the outlier's token", token.colour = 1;
    others.label = "all other tokens, least to largest", others.colour = 0;
    for (std::size_t i = 0; i < cells; ++i) {
        std::size_t const from = i * row.size() / cells, to = (i + 1) * row.size() / cells;
        float v = row[from], least = low[from], largest = high[from];
        for (std::size_t c = from; c < to; ++c) {
            if (std::abs(row[c]) > std::abs(v)) v = row[c];
            least = std::min(least, low[c]), largest = std::max(largest, high[c]);
        }
        double const x = static_cast<double>(from);
        token.x.push_back(x), token.y.push_back(static_cast<double>(v));
        others.x.push_back(x), others.y.push_back(std::nan(""));
        others.low.push_back(static_cast<double>(least)), others.high.push_back(static_cast<double>(largest));
    }
    panel p;
    p.title = std::move(title);
    p.x.label = std::string(of);
    p.curves = {std::move(others), std::move(token)};
    return p;
}

}  // namespace detail

/// Each followed entry from layer to layer: what it is when it leaves a layer, and what attention and MLP add there.
inline figure life_timeline(outlier_life const& life, token_sequences const& x) {
    figure f;
    f.shared_axes = false;
    auto const shown = std::min<std::size_t>(4, life.entries.size());
    f.columns = std::min<std::size_t>(2, shown);
    f.aspect = shown == 1 ? 0.45 : 0.6;
    for (std::size_t k = 0; k < shown; ++k) {
        auto const& e = life.entries[k];
        auto p = detail::layer_panel(text("token ", e.token, " '", x.at(0, e.token).shown, "', channel ", e.channel), "value");
        std::pair<char const*, std::vector<double> const*> const lines[] = {
            {"leaves the layer", &e.after}, {"attention adds", &e.attention}, {"MLP adds", &e.mlp}};
        for (std::size_t i = 0; i < 3; ++i) {
            auto c = detail::points_by_layer(lines[i].first, i);
            c.dashed = i > 0;
            for (std::size_t l = 0; l < lines[i].second->size(); ++l)
                detail::add_layer(c, static_cast<index_t>(l), (*lines[i].second)[l]);
            p.curves.push_back(std::move(c));
        }
        f.panels.push_back(std::move(p));
    }
    return f;
}

/// Share of all attention that each followed token receives, by layer, mean over heads.
inline figure life_shares(attention_survey const& a, outlier_life const& life, token_sequences const& x) {
    figure f;
    f.aspect = 0.35;
    auto p = detail::layer_panel("", "share of attention");
    p.y.range = {0, 1};
    for (std::size_t k = 0; k < life.tokens.size(); ++k) {
        auto c = detail::points_by_layer(text("token ", life.tokens[k], " '", x.at(0, life.tokens[k]).shown, "'"), k);
        c.bars = true;
        for (auto const& [l, seen] : a.layers()) {
            auto const share = attention_survey::shares_of(seen.sums, {life.tokens[k]});
            detail::add_layer(c, l, share.mean);
            c.low.push_back(share.low), c.high.push_back(share.high);
        }
        p.curves.push_back(std::move(c));
    }
    f.panels = {std::move(p)};
    return f;
}

/// The intermediate tensors of an MLP at the first followed token, as far as the model has them: on its way from the norm's input
/// to the output.
inline figure life_tensors(token_rows const& rows, index_t layer) {
    struct place {
        std::string_view site, name, of;
    };
    static constexpr place places[] = {{site::resid_mid::name, "rms_in: into the norm", "channel"},
                                       {site::ln2_normalized::name, "rms_out: out of the norm", "channel"},
                                       {site::gate_out::name, "gate_out: gate projection", "neuron"},
                                       {site::act_out::name, "act_out: activation", "neuron"},
                                       {site::mlp_pre::name, "up_out: up projection", "neuron"},
                                       {site::mlp_post::name, "down_in: into the down projection", "neuron"},
                                       {site::mlp_out::name, "down_out: out of it", "channel"},
                                       {site::resid_post::name, "layer_out: the layer's output", "channel"}};
    figure f;
    f.shared_axes = false;
    f.width = 1000;
    f.columns = 4;
    f.aspect = 0.8;
    for (auto const& p : places)
        if (rows.has(p.site, layer)) {
            auto const& s = rows.at(p.site, layer);
            f.panels.push_back(detail::row_panel(std::string(p.name), p.of, s.rows[0], s.low, s.high));
        }
    f.columns = std::min<std::size_t>(f.panels.size() == 6 ? 3 : 4, f.panels.size());
    return f;
}

/// How a head comes to attend to the token: the stream into the norm, out of it, then of the head the query (of the other
/// tokens), the key and the value.
inline figure life_head(token_rows const& rows, head_story const& h, std::size_t t) {
    figure f;
    f.shared_axes = false;
    f.width = 1000, f.columns = 3, f.aspect = 0.7;
    auto const whole = [&](std::string_view site, char const* title) {
        auto const& s = rows.at(site, h.layer);
        f.panels.push_back(detail::row_panel(title, "channel", s.rows[t], s.low, s.high));
    };
    auto const head = [&](std::string_view site, std::string title, index_t number) {
        auto const& s = rows.at(site, h.layer);
        auto const from = number * s.per_head, to = from + s.per_head;
        auto const part = [&](std::vector<float> const& v) { return std::vector<float>(v.begin() + from, v.begin() + to); };
        f.panels.push_back(
            detail::row_panel(std::move(title), "channel of the head", part(s.rows[t]), part(s.low), part(s.high)));
    };
    whole(site::resid_pre::name, "mha_rms_in: into the norm");
    whole(site::ln1_normalized::name, "mha_rms_out: out of the norm");
    head(site::q::name, text("query, head ", h.head), h.head);
    head(site::k::name, text("key, head ", h.kv_head), h.kv_head);
    head(site::v::name, text("value, head ", h.kv_head), h.kv_head);
    auto p = detail::layer_panel("mean query of the others * key", "");
    p.x.label = "channel of the head";
    auto const &q = rows.at(site::q::name, h.layer), &k = rows.at(site::k::name, h.layer);
    curve mine, others;
    mine.label = "the outlier's token", mine.colour = 1;
    others.label = "mean key of all others", others.colour = 0, others.dashed = true;
    for (index_t d = 0; d < k.per_head; ++d) {
        auto const at_q = static_cast<std::size_t>(h.head * q.per_head + d),
                   at_k = static_cast<std::size_t>(h.kv_head * k.per_head + d);
        detail::add_layer(mine, d, q.mean[at_q] * static_cast<double>(k.rows[t][at_k]));
        detail::add_layer(others, d, q.mean[at_q] * k.mean[at_k]);
    }
    p.curves = {std::move(others), std::move(mine)};
    f.panels.push_back(std::move(p));
    return f;
}

}  // namespace attnlab
