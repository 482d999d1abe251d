#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/close_look.hpp>
#include <attnlab/analysis/views/knock_out.hpp>

/// \file
/// Birth, spread and end of a model's outliers, and the test of who makes them.

namespace attnlab {

struct lifecycle {
    outlier_life life;
    token_rows rows;  ///< of the layers of birth, spread and vanishing
    std::vector<written_entry> birth, vanish;
    std::vector<row_story> behind;   ///< the largest neuron of birth
    std::optional<head_story> head;  ///< at the first layer of spread
    std::vector<index_t> makers;     ///< neurons that make the entries, each once
    std::vector<after_change> test;
};

/// Passes the first sequence of `x` through the model five more times: to follow the outliers, to look at three layers, and to
/// test.
inline lifecycle find_lifecycle(language_model& model, survey const& s, token_sequences const& x) {
    auto const& facts = model.facts();
    auto life = follow_outliers(model, s, x);
    std::map<std::string_view, std::set<index_t>> where;
    for (std::string_view const site :
         {site::resid_mid::name, site::ln2_normalized::name, site::gate_out::name, site::act_out::name, site::mlp_pre::name,
          site::mlp_post::name, site::mlp_out::name, site::resid_post::name}) {
        where[site].insert(life.birth);
        if (life.vanish) where[site].insert(*life.vanish);
    }
    for (std::string_view const site :
         {site::resid_pre::name, site::ln1_normalized::name, site::q::name, site::k::name, site::v::name})
        where[site].insert(life.spread.front());
    token_rows rows(life.tokens, std::move(where));
    model.forward(view<std::int32_t const, 2>(x.ids.data(), {1, x.length()}), rows);

    lifecycle out{std::move(life), std::move(rows), {}, {}, {}, {}, {}, {}};
    out.birth = written_in(model, out.life, out.rows, out.life.birth);
    if (out.life.vanish) out.vanish = written_in(model, out.life, out.rows, *out.life.vanish);
    for (auto const& w : out.birth)
        if (!w.neurons.empty()) detail::add_once(out.makers, w.neurons[0].neuron, 8);
    if (!out.makers.empty()) out.behind = rows_behind(model, out.rows, out.life.birth, out.birth[0].neurons[0].neuron, 0);
    std::size_t most = 0;
    double best = -1;
    for (std::size_t t = 0; t < out.life.tokens.size(); ++t)
        if (double const share =
                attention_survey::shares_of(s.attention().at(out.life.spread.front()).sums, {out.life.tokens[t]}).mean;
            share > best)
            best = share, most = t;
    out.head = head_behind(facts, s, out.rows, out.life.spread.front(), most);
    out.test = knock_out(model, out.life, x, out.makers, {.factor = s.layer_out().factor()});
    return out;
}

}  // namespace attnlab
