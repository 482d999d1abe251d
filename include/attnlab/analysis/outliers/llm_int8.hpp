#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include <attnlab/analysis/outliers/find.hpp>

namespace attnlab {

/// Outlier features of LLM.int8() (Dettmers et al. 2208.07339): a channel with some |h| >= `threshold` in at least 25 % of the
/// layers and in at least 6 % of the sequence positions. The paper does not say of which layers' positions: `positions_of`. All
/// sequences are pooled. The value of a channel is its share of positions.
struct llm_int8 {
    enum class pool { all_layers, layers_that_pass };

    static constexpr std::string_view name = "llm_int8";
    static constexpr bool reads(site_kind k) { return k == site_kind::rows; }
    template <class Site>
    using axes = axis_list<channels_of<Site>>;

    double threshold = 6, layers_share = 0.25, positions_share = 0.06;
    pool positions_of = pool::all_layers;

    rule_parameters parameters() const {
        return {{"threshold", threshold}, {"layers_share", layers_share}, {"positions_share", positions_share},
                {"positions_of", positions_of == pool::all_layers ? "all_layers" : "layers_that_pass"}};
    }

    /// Positions in which a channel passes, of how many.
    struct reducer : tally {
        std::vector<std::int64_t> passes;
        std::int64_t positions = 0;

        void merge(reducer const& o) {
            tally::merge(o);
            passes.resize(std::max(passes.size(), o.passes.size()));
            for (std::size_t c = 0; c < o.passes.size(); ++c) passes[c] += o.passes[c];
            positions += o.positions;
        }
    };

    template <class T>
    reducer reduce(index_t, view<T const, 2> h) const {
        reducer r;
        r.positions = h.shape(0);
        r.passes.resize(static_cast<std::size_t>(h.shape(1)));
        r.see(h, [&](index_t, index_t c, double x) { r.passes[static_cast<std::size_t>(c)] += std::abs(x) >= threshold; });
        return r;
    }

    void decide(std::map<index_t, reducer> const& layers, auto&& found) const {
        std::size_t channels = 0;
        for (auto const& [layer, r] : layers) channels = std::max(channels, r.passes.size());
        for (std::size_t c = 0; c < channels; ++c) {
            std::int64_t passing_layers = 0, passes = 0, positions = 0;
            for (auto const& [layer, r] : layers) {
                std::int64_t const here = c < r.passes.size() ? r.passes[c] : 0;
                passing_layers += here > 0;
                passes += here;
                if (here > 0 || positions_of == pool::all_layers) positions += r.positions;
            }
            if (passing_layers == 0 || static_cast<double>(passing_layers) < layers_share * static_cast<double>(layers.size()))
                continue;
            if (double const share = static_cast<double>(passes) / static_cast<double>(positions); share >= positions_share)
                found({static_cast<index_t>(c)}, share);
        }
    }
};

}  // namespace attnlab
