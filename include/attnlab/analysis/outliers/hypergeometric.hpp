#pragma once
#include <algorithm>
#include <cmath>

#include <attnlab/core/error.hpp>

namespace attnlab {

namespace detail {
/// log of n choose k.
inline double log_choose(double n, double k) {
    k = std::min(k, n - k);
    if (k > 1e6) return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
    double sum = 0;   // each term to the last digit, which differences of lgamma of millions have lost
    for (double i = 1; i <= k; ++i) sum += std::log((n - k + i) / i);
    return sum;
}
}  // namespace detail

/// log of P(X >= observed), X the number of marked among `drawn` of `space` that hold `marked`: the chance that two sets agree so
/// well or better if one of them lay anywhere. -infinity where it cannot be. \throws error for more marked or drawn than there
/// are
inline double log_hypergeometric_tail(double observed, double drawn, double marked, double space) {
    require(0 <= drawn && drawn <= space && 0 <= marked && marked <= space, "hypergeometric tail: expected ", drawn, " and ",
            marked, " of at most ", space);
    double const least = std::max(0., drawn + marked - space), most = std::min(drawn, marked);
    if (observed <= least) return 0;
    if (observed > most) return -HUGE_VAL;
    // P(x+1) / P(x) = (marked-x)(drawn-x) / ((x+1)(space-marked-drawn+x+1)); terms fall once past the mode
    double sum = 1, term = 1;
    for (double x = observed; x < most; ++x) {
        double const ratio = (marked - x) * (drawn - x) / ((x + 1) * (space - marked - drawn + x + 1));
        term *= ratio;
        sum += term;
        if (ratio < 1 && term < 1e-17 * sum * (1 - ratio)) break;
    }
    double const first = detail::log_choose(marked, observed) + detail::log_choose(space - marked, drawn - observed) -
                         detail::log_choose(space, drawn);
    return std::min(0., first + std::log(sum));
}

}  // namespace attnlab
