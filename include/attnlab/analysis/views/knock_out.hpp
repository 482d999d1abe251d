#pragma once
#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/views/life.hpp>
#include <attnlab/core/rng.hpp>

/// \file
/// The test of a story: the neurons that are said to make the outliers are silenced, and the model is looked at again.

namespace attnlab {

/// A survey of a pass in which some neurons of one layer are zero.
class silenced_survey : public survey {
public:
    silenced_survey(index_t layer, std::vector<index_t> neurons, mean_ratio rule)
        : survey({}, rule), layer_(layer), neurons_(std::move(neurons)) {}

    void see(seen_site const& x) override {
        if (x.site == site::mlp_post::name && x.layer == layer_) {
            flows_ = !x.alterable.empty();
            auto const F = static_cast<std::size_t>(x.shape.back());
            for (std::size_t row = 0; row < x.alterable.size() / F; ++row)
                for (index_t f : neurons_) x.alterable[row * F + static_cast<std::size_t>(f)] = 0;
        }
        survey::see(x);
    }
    bool flows() const { return flows_; }

private:
    index_t layer_;
    std::vector<index_t> neurons_;
    bool flows_ = false;
};

/// What is left after a change, on the first sequence.
struct after_change {
    std::string what;
    std::vector<index_t> neurons;
    std::size_t outliers = 0;  ///< entries of layer outputs, by the rule
    double largest = 0;        ///< |x| of the first followed entry at the layer of birth and after
    double share = 0;          ///< of all attention in the spread layers that the followed tokens receive
    double loss = 0;           ///< nats a token
};

namespace detail {

inline after_change look_after(std::string what, survey const& s, outlier_life const& life, tensor<double, 2> const& losses) {
    after_change out{std::move(what), {}, s.layer_out().outliers().size(), 0, 0, 0};
    for (index_t l = life.birth; l <= life.alive_to(); ++l)
        out.largest = std::max(out.largest, std::abs(s.layer_out().at(l).largest.at(0).value));
    for (index_t l : life.spread)
        out.share +=
            attention_survey::shares_of(s.attention().at(l).sums, life.tokens).mean / static_cast<double>(life.spread.size());
    for (double v : *losses) out.loss += v / static_cast<double>(losses.size());
    return out;
}

}  // namespace detail

/// Unchanged, with `neurons` of the layer of birth at zero, and with as many others, drawn at random, at zero.
/// Empty where the model has no such neurons or a change does not flow on.
inline std::vector<after_change> knock_out(language_model& model, outlier_life const& life, token_sequences const& x,
                                           std::vector<index_t> const& neurons, mean_ratio rule) {
    std::vector<after_change> out;
    index_t const F = model.facts().mlp_width;
    if (neurons.empty() || x.length() < 2 || F <= static_cast<index_t>(2 * neurons.size())) return out;
    view<std::int32_t const, 2> const first(x.ids.data(), {1, x.length()});
    std::vector<index_t> others;
    for (std::uint64_t n = 0; others.size() < neurons.size(); ++n) {
        auto const f = static_cast<index_t>(rng::bits(1, n) % static_cast<std::uint64_t>(F));
        if (std::find(neurons.begin(), neurons.end(), f) == neurons.end()) detail::add_once(others, f, neurons.size());
    }
    for (auto const& [what, which] :
         {std::pair{"unchanged", std::vector<index_t>{}}, std::pair{"the neurons that make them", neurons},
          std::pair{"as many others, at random", others}}) {
        silenced_survey s(life.birth, which, rule);
        auto const losses = model.next_token_losses(first, s);
        if (!s.flows()) return {};
        out.push_back(detail::look_after(what, s, life, losses));
        out.back().neurons = which;
    }
    return out;
}

}  // namespace attnlab
