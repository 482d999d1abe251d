#pragma once
#include <cmath>
#include <limits>
#include <string_view>

#include <attnlab/analysis/outliers/find.hpp>
#include <attnlab/analysis/selection.hpp>
#include <attnlab/analysis/scores.hpp>
#include <attnlab/core/error.hpp>

/// \file
/// Rules that know nothing of language models, to hold the others against.

namespace attnlab {

/// |h - mean| > `deviations` * standard deviation, both of the layer's tensor in one sequence.
struct z_score {
    static constexpr std::string_view name = "z_score";
    static constexpr bool reads(site_kind k) { return k == site_kind::rows; }
    template <class Site>
    using axes = token_axes<Site>;

    double deviations = 6;   // ours: a Gaussian passes once in 5e8 values

    rule_parameters parameters() const { return {{"deviations", deviations}}; }
    using reducer = candidates<3>;   // (sequence, token, channel)

    template <class T>
    reducer reduce(index_t sequence, view<T const, 2> h) const {
        moments m;
        m.add(h);
        reducer r;
        r.see(h, [&, mean = m.mean(), limit = deviations * m.standard_deviation()](index_t t, index_t c, double x) {
            if (std::abs(x - mean) > limit) r.add({sequence, t, c}, x);
        });
        return r;
    }
};

/// The largest |h| of the layer's tensor in one sequence: a `fraction` of the finite values, rounded up, and what is as large as
/// the last one.
struct top_fraction {
    static constexpr std::string_view name = "top_fraction";
    static constexpr bool reads(site_kind k) { return k == site_kind::rows; }
    template <class Site>
    using axes = token_axes<Site>;

    double fraction = 1e-4;   // ours

    rule_parameters parameters() const { return {{"fraction", fraction}}; }
    using reducer = candidates<3>;   // (sequence, token, channel)

    template <class T>
    reducer reduce(index_t sequence, view<T const, 2> h) const {
        require(fraction >= 0 && fraction <= 1, name, ": fraction ", fraction, ": expected 0 to 1");
        auto magnitudes = finite_magnitudes(h);
        auto const n = static_cast<std::size_t>(
            std::ceil((1 - 1e-12) * fraction * static_cast<double>(magnitudes.size())));  // .07 of 100 are 7
        double const least = n > 0 ? select(magnitudes, magnitudes.size() - n) : std::numeric_limits<double>::infinity();
        reducer r;
        r.see(h, [&](index_t t, index_t c, double x) {
            if (std::abs(x) >= least) r.add({sequence, t, c}, x);
        });
        return r;
    }
};

}  // namespace attnlab
