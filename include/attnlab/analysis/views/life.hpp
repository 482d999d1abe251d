#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/analysis/views/survey.hpp>
#include <attnlab/analysis/views/token_rows.hpp>
#include <attnlab/analysis/views/token_sequences.hpp>
#include <attnlab/observe/language_model.hpp>

/// \file
/// The life of outliers through the layers: which entries of the stream are followed, what each layer adds to them, when they are
/// born and when they are gone (2502.06415, figures 7 to 9).

namespace attnlab {

/// One entry of the stream, from layer to layer.
struct followed_entry {
    index_t token = 0, channel = 0;
    std::vector<double> before, attention, mlp, after;  ///< by layer: entering, what attention and MLP add, leaving
};

struct outlier_life {
    bool by_rule = true;  ///< outliers by the rule; else the largest entry of all layers is followed in their place
    std::vector<index_t> tokens, channels;  ///< largest first
    std::vector<followed_entry> entries;    ///< each token with each channel
    index_t birth = 0;                      ///< the layer whose output has them first
    std::optional<index_t> vanish;  ///< the first layer after that whose output has them no more; none: they stay to the end
    std::vector<index_t>
        spread;  ///< layers in which a followed token is an attention outlier; without any, the layer that looks at it most
    bool spread_by_rule = true;
    index_t alive_to() const { return vanish ? *vanish - 1 : static_cast<index_t>(entries.at(0).after.size()) - 1; }
};

namespace detail {

inline std::string_view write_of(model_facts const& facts, std::string_view normed, std::string_view plain) {
    return std::find(facts.sites.begin(), facts.sites.end(), normed) != facts.sites.end() ? normed : plain;
}

inline void add_once(std::vector<index_t>& to, index_t x, std::size_t most) {
    if (to.size() < most && std::find(to.begin(), to.end(), x) == to.end()) to.push_back(x);
}

/// Tokens and channels of the outliers where there are most of them; largest first.
inline void choose_entries(survey const& s, outlier_life& life) {
    constexpr std::size_t most = 4;
    auto const set = s.layer_out().outliers().restrict<axis::sequence>(0, 1);
    life.by_rule = !set.empty();
    std::vector<entry> all;
    if (life.by_rule) {
        index_t first = s.layer_out().layers().rbegin()->first;
        for (auto const& e : set) first = std::min(first, e.at[1]);
        life.birth = first;
        for (auto const& e : set)
            if (e.at[1] == first) all.push_back({e.at[2], e.at[3], e.value});
        std::stable_sort(all.begin(), all.end(),
                         [](entry const& a, entry const& b) { return std::abs(a.value) > std::abs(b.value); });
    } else {
        for (auto const& [l, seen] : s.layer_out().layers())
            if (all.empty() || std::abs(seen.largest.at(0).value) > std::abs(all[0].value)) all = {seen.largest[0]};
    }
    for (auto const& e : all) add_once(life.tokens, e.token, most), add_once(life.channels, e.channel, most);
}

}  // namespace detail

/// \param x  of which the first sequence is passed through the model once more
inline outlier_life follow_outliers(language_model& model, survey const& s, token_sequences const& x) {
    auto const& facts = model.facts();
    outlier_life life;
    detail::choose_entries(s, life);
    auto const attention = detail::write_of(facts, site::post_attn_norm_out::name, site::attn_out::name),
               mlp = detail::write_of(facts, site::post_mlp_norm_out::name, site::mlp_out::name);
    token_rows rows(life.tokens, in_every_layer({site::resid_pre::name, attention, mlp, site::resid_post::name}, facts.layers));
    model.forward(view<std::int32_t const, 2>(x.ids.data(), {1, x.length()}), rows);
    for (std::size_t t = 0; t < life.tokens.size(); ++t)
        for (index_t c : life.channels) {
            followed_entry e{life.tokens[t], c, {}, {}, {}, {}};
            for (index_t l = 0; l < facts.layers; ++l) {
                auto const value = [&](std::string_view site) {
                    return static_cast<double>(rows.at(site, l).rows[t][static_cast<std::size_t>(c)]);
                };
                e.before.push_back(value(site::resid_pre::name)), e.attention.push_back(value(attention)),
                    e.mlp.push_back(value(mlp)), e.after.push_back(value(site::resid_post::name));
            }
            life.entries.push_back(std::move(e));
        }

    // Alive: an outlier by the rule; where nothing is, at least half of what the largest entry ever was.
    std::vector<bool> alive(static_cast<std::size_t>(facts.layers));
    if (life.by_rule) {
        for (auto const& e : s.layer_out().outliers())
            if (e.at[0] == 0 && std::find(life.tokens.begin(), life.tokens.end(), e.at[2]) != life.tokens.end())
                alive[static_cast<std::size_t>(e.at[1])] = true;
    } else {
        auto const& after = life.entries.at(0).after;
        double peak = 0;
        for (double v : after) peak = std::max(peak, std::abs(v));
        for (std::size_t l = 0; l < after.size(); ++l) alive[l] = std::abs(after[l]) >= peak / 2;
        life.birth = std::find(alive.begin(), alive.end(), true) - alive.begin();
    }
    for (index_t l = life.birth + 1; l < facts.layers && !life.vanish; ++l)
        if (!alive[static_cast<std::size_t>(l)]) life.vanish = l;

    std::set<index_t> spread;
    for (auto const& e : s.attention().outliers())
        if (e.at[0] == 0 && std::find(life.tokens.begin(), life.tokens.end(), e.at[2]) != life.tokens.end())
            spread.insert(e.at[1]);
    life.spread_by_rule = !spread.empty();
    if (spread.empty()) {
        double most = -1;
        index_t best = 0;
        for (auto const& [l, seen] : s.attention().layers())
            if (double const share = attention_survey::shares_of(seen.sums, life.tokens).mean; l >= life.birth && share > most)
                most = share, best = l;
        spread.insert(best);
    }
    life.spread.assign(spread.begin(), spread.end());
    return life;
}

}  // namespace attnlab
