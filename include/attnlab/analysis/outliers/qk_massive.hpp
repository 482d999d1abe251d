#pragma once
#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include <attnlab/analysis/outliers/find.hpp>
#include <attnlab/analysis/scores.hpp>

namespace attnlab {

/// Massive values in queries and keys (Jin et al. 2502.01563): M[h,c] = norm over tokens of q[h,:,c]; M[h,c] > `factor` * mean_c
/// M[h,c]. The tokens of all sequences are pooled. Whether q and k stand before or after RoPE is the site's business.
struct qk_massive {
    static constexpr std::string_view name = "qk_massive";
    static constexpr bool reads(site_kind k) { return k == site_kind::heads; }
    template <class Site>
    using axes = axis_list<axis::layer, axis::head, axis::head_channel>;

    double factor = 5;

    rule_parameters parameters() const { return {{"factor", factor}}; }

    struct reducer : tally {
        std::vector<square_sums> heads;

        void merge(reducer const& o) {
            tally::merge(o);
            heads.resize(std::max(heads.size(), o.heads.size()));
            for (std::size_t h = 0; h < o.heads.size(); ++h) heads[h].merge(o.heads[h]);
        }
    };

    /// (H,T,D)
    template <class T>
    reducer reduce(index_t, view<T const, 3> q) const {
        reducer r;
        for (index_t h = 0; h < q.shape(0); ++h) {
            r.heads.emplace_back().add(q[h]);
            r.tally::merge(r.heads.back());
        }
        return r;
    }

    void decide(std::map<index_t, reducer> const& layers, auto&& found) const {
        for (auto const& [layer, r] : layers)
            for (std::size_t h = 0; h < r.heads.size(); ++h) {
                auto const& head = r.heads[h];
                running_mean mean;
                for (std::size_t c = 0; c < head.size(); ++c) mean.add(head.norm(c));
                for (std::size_t c = 0; c < head.size(); ++c)
                    if (head.norm(c) > factor * mean.mean())
                        found({layer, static_cast<index_t>(h), static_cast<index_t>(c)}, head.norm(c));
            }
    }
};

}  // namespace attnlab
