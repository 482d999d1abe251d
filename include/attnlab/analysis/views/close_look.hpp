#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/weight_ratio.hpp>
#include <attnlab/analysis/views/life.hpp>

/// \file
/// What makes an outlier, spreads it and removes it: neurons by what they add, weights by what they multiply, channels of queries
/// and keys by what they score.

namespace attnlab {

/// A neuron's part in an entry of the stream: act[token, neuron] * W_down[channel, neuron].
struct neuron_part {
    index_t neuron = 0;
    double activation = 0, weight = 0, adds = 0;
    double weight_ratio = 0;  ///< |weight| over the mean |W| of the neuron's column
};

/// An input channel's part in what a row of a matrix puts out: W[row, channel] * x[token, channel].
struct input_part {
    index_t channel = 0;
    double input = 0, weight = 0, adds = 0;
};

/// What the MLP of a layer adds to one entry.
struct written_entry {
    index_t token = 0, channel = 0;
    double before = 0, attention = 0, mlp = 0, after = 0;
    std::vector<neuron_part> neurons;  ///< those that add the most, with the sign of all; empty for a mixture of experts
};

/// One matrix before the activation, at the row of a neuron.
struct row_story {
    std::string module;
    double value = 0, low = 0, high = 0;  ///< what it puts out at the token; between what the other tokens lie
    double norm_share = 0;                ///< share of the row's sum of squares that its three largest weights have
    std::vector<input_part> inputs;       ///< channels that add the most
};

/// A head that attends to the token, at the first layer where any does.
struct head_story {
    index_t layer = 0, head = 0, kv_head = 0, token = 0;
    double share = 0;  ///< of the head's attention that the token receives
    struct channel {
        index_t at = 0;
        double key = 0, mean_query = 0, adds = 0;  ///< adds: mean query times key, before the scale
    };
    std::vector<channel> channels;       ///< of the head, those that add the most to the score
    double score = 0, others_score = 0;  ///< mean query dot the token's key; dot the mean key of the others
    bool rotary_pair = false;            ///< whether the first two are the halves of one rotary pair, D/2 apart
    double value_norm_ratio = 0;         ///< norm of the token's value over the norm of the others' mean
    std::vector<input_part> normed;      ///< largest entries of the attention's norm output at the token (weight and adds unused)
};

namespace detail {

template <class Part>
void keep_largest(std::vector<Part>& parts, std::size_t most) {
    std::stable_sort(parts.begin(), parts.end(),
                     [](Part const& a, Part const& b) { return std::abs(a.adds) > std::abs(b.adds); });
    if (parts.size() > most) parts.resize(most);
}

/// Matrices that make a neuron's value before the down projection, by the names that families give them.
inline std::vector<std::string> matrices_before_activation(model_facts const& facts) {
    std::vector<std::string> out;
    for (std::string_view const end : {"gate_proj", "up_proj", "c_fc", "fc1", "dense_h_to_4h"})
        for (auto const& w : facts.weights)
            if (w.ends_with(end) && w.find("experts") == w.npos) out.push_back(w);
    return out;
}

}  // namespace detail

/// What layer `l` adds to each followed entry, its neurons largest first.
inline std::vector<written_entry> written_in(language_model& model, outlier_life const& life, token_rows const& rows, index_t l) {
    std::vector<written_entry> out;
    auto const& facts = model.facts();
    std::optional<tensor<float, 2>> down;
    if (!facts.down_matrix.empty() && rows.has(site::mlp_post::name, l)) down = model.weight(l, facts.down_matrix);
    std::vector<double> column_mean;
    if (down) column_mean = ratios_of(view<float const, 2>(*down), line::column).mean;
    auto const layer = static_cast<std::size_t>(l);
    for (auto const& e : life.entries) {
        written_entry w{e.token, e.channel, e.before[layer], e.attention[layer], e.mlp[layer], e.after[layer], {}};
        if (down) {
            auto const t =
                static_cast<std::size_t>(std::find(life.tokens.begin(), life.tokens.end(), e.token) - life.tokens.begin());
            auto const& act = rows.at(site::mlp_post::name, l).rows[t];
            for (index_t f = 0; f < down->shape(1); ++f) {
                double const a = static_cast<double>(act[static_cast<std::size_t>(f)]),
                             weight = static_cast<double>((*down)(e.channel, f));
                w.neurons.push_back({f, a, weight, a * weight, std::abs(weight) / column_mean[static_cast<std::size_t>(f)]});
            }
            detail::keep_largest(w.neurons, 5);
        }
        out.push_back(std::move(w));
    }
    return out;
}

/// Where neuron `f` of layer `l` has its value at token number `t` of the followed ones from.
inline std::vector<row_story> rows_behind(language_model& model, token_rows const& rows, index_t l, index_t f, std::size_t t) {
    std::vector<row_story> out;
    if (!rows.has(site::ln2_normalized::name, l)) return out;
    auto const& x = rows.at(site::ln2_normalized::name, l).rows[t];
    auto const& facts = model.facts();
    auto const gated = std::find(facts.sites.begin(), facts.sites.end(), site::gate_out::name) != facts.sites.end();
    for (auto const& module : detail::matrices_before_activation(facts)) {
        auto const w = model.weight(l, module);
        auto const site = gated && module.ends_with("gate_proj") ? site::gate_out::name : site::mlp_pre::name;
        if (f >= w.shape(0) || w.shape(1) != static_cast<index_t>(x.size()) || !rows.has(site, l)) continue;
        auto const& seen = rows.at(site, l);
        auto const place = static_cast<std::size_t>(f);
        row_story s{module,
                    static_cast<double>(seen.rows[t][place]),
                    static_cast<double>(seen.low[place]),
                    static_cast<double>(seen.high[place]),
                    0,
                    {}};
        std::vector<double> squares;
        for (index_t c = 0; c < w.shape(1); ++c) {
            double const weight = static_cast<double>(w(f, c)), in = static_cast<double>(x[static_cast<std::size_t>(c)]);
            s.inputs.push_back({c, in, weight, weight * in});
            squares.push_back(weight * weight);
        }
        detail::keep_largest(s.inputs, 3);
        double const all = std::accumulate(squares.begin(), squares.end(), 0.);
        std::partial_sort(squares.begin(),
                          squares.begin() + std::min<std::ptrdiff_t>(3, static_cast<std::ptrdiff_t>(squares.size())),
                          squares.end(), std::greater<>());
        s.norm_share =
            std::accumulate(squares.begin(),
                            squares.begin() + std::min<std::ptrdiff_t>(3, static_cast<std::ptrdiff_t>(squares.size())), 0.) /
            all;
        out.push_back(std::move(s));
    }
    return out;
}

/// How a head comes to attend to a token: queries and keys as the scores see them, after any rotation.
/// \param t  number of the token among the followed ones
inline head_story head_behind(model_facts const& facts, survey const& s, token_rows const& rows, index_t l, std::size_t t) {
    head_story out;
    out.layer = l, out.token = rows.tokens()[t];
    auto const shares = attention_survey::shares_of(s.attention().at(l).sums, {out.token}).per_head;
    out.head = std::max_element(shares.begin(), shares.end()) - shares.begin();
    out.share = shares[static_cast<std::size_t>(out.head)];
    auto const &q = rows.at(site::q::name, l), &k = rows.at(site::k::name, l), &v = rows.at(site::v::name, l);
    auto const D = static_cast<std::size_t>(k.per_head);
    index_t const kv_heads = static_cast<index_t>(k.low.size() / D);
    out.kv_head = out.head / std::max<index_t>(1, facts.heads / kv_heads);
    auto const of_q = static_cast<std::size_t>(out.head) * D, of_k = static_cast<std::size_t>(out.kv_head) * D;
    for (std::size_t d = 0; d < D; ++d) {
        double const key = static_cast<double>(k.rows[t][of_k + d]), query = q.mean[of_q + d];
        out.channels.push_back({static_cast<index_t>(d), key, query, key * query});
        out.score += key * query, out.others_score += k.mean[of_k + d] * query;
    }
    detail::keep_largest(out.channels, 4);
    if (out.channels.size() > 1)
        out.rotary_pair = std::abs(out.channels[0].at - out.channels[1].at) == static_cast<index_t>(D / 2);
    double mine = 0, others = 0;
    for (std::size_t d = 0; d < D; ++d) {
        double const a = static_cast<double>(v.rows[t][of_k + d]), b = v.mean[of_k + d];
        mine += a * a, others += b * b;
    }
    out.value_norm_ratio = std::sqrt(mine / others);
    auto const& normed = rows.at(site::ln1_normalized::name, l).rows[t];
    for (std::size_t c = 0; c < normed.size(); ++c)
        out.normed.push_back({static_cast<index_t>(c), static_cast<double>(normed[c]), 0, static_cast<double>(normed[c])});
    detail::keep_largest(out.normed, 4);
    return out;
}

}  // namespace attnlab
