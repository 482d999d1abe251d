#pragma once
#include <attnlab/attention/parameters.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// s <- s - r1 log(1 + r2 |i - j|), r1 and r2 positive and learned for each head: the logarithmic form of KERPLE (2205.09921). Its code
/// clamps r1, r2 at 0.01 from uniform draws of mean 1 and 1/2; here r = softplus(parameter), starting at those means. Not decayed.
struct kerple {
    struct parameters {
        head_scalar<"kerple_r1"> r1{constant(logarithm(1.71828182845904523536))};    // softplus gives 1: log(e - 1)
        head_scalar<"kerple_r2"> r2{constant(logarithm(0.648721270700128146849))};   // 1/2: log(sqrt(e) - 1)
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        return s - softplus(p.r1) * log(1 + softplus(p.r2) * abs(at.distance));
    }
};

}  // namespace attnlab
