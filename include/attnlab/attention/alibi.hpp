#pragma once
#include <cmath>

#include <attnlab/attention/symbols.hpp>

namespace attnlab {

/// m_h of ALiBi: 2^(-8 (h + 1) / H) where H is a power of two; else those of the largest power n below H, then every other one of 2 n,
/// as in the code of 2108.12409 (and BLOOM; MPT orders them otherwise).
struct alibi_slope {
    template <class = void>   // as a template it may be constexpr, for devices, and call std::exp2
    constexpr double operator()(double head, double heads) const {
        double n = 1;
        while (2 * n <= heads) n *= 2;
        return head < n ? std::exp2(-8 * (head + 1) / n) : std::exp2(-4 * (2 * (head - n) + 1) / n);
    }
};

/// s <- s - m_h |i - j|, slopes fixed (ALiBi, 2108.12409).
struct alibi {
    static constexpr auto score(auto s, auto const& at) { return s - at.of_head(alibi_slope{}) * abs(at.distance); }
};

}  // namespace attnlab
