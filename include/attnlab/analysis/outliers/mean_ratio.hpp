#pragma once
#include <string_view>

#include <attnlab/analysis/outliers/find.hpp>
#include <attnlab/analysis/scores.hpp>

namespace attnlab {

/// Activation outliers of the paper (2502.06415, its code): |h[t,c]| > `factor` * mean |h|, the mean over the whole sequence, the
/// outlier itself included. Its outlier tokens, max_c |h[t,c]| > factor * mean |h|, are the projection on axis::token.
struct mean_ratio {
    static constexpr std::string_view name = "mean_ratio";
    static constexpr bool reads(site_kind k) { return k == site_kind::rows; }
    template <class Site>
    using axes = token_axes<Site>;

    double factor = 1000;

    rule_parameters parameters() const { return {{"factor", factor}}; }

    using reducer = candidates<3>;   // (sequence, token, channel)

    template <class T>
    reducer reduce(index_t sequence, view<T const, 2> h) const {
        moments m;
        m.add(h);
        reducer r;
        r.see(h, [&, limit = factor * m.mean_abs()](index_t t, index_t c, double x) {
            if (std::abs(x) > limit) r.add({sequence, t, c}, x);
        });
        return r;
    }
};

}  // namespace attnlab
