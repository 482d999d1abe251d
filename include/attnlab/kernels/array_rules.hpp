#pragma once
#include <attnlab/attention/functions.hpp>

/// \file
/// What is done to one number of an array, on any lane type: a double, a register of the cpu, a lane of a warp.

namespace attnlab::rules {

/// x <- by x.
template <class S>
struct scale {
    S by;
    template <class L>
    constexpr void operator()(L& x) const {
        x = L(by) * x;
    }
};

/// y = x between -most and most; NaN stays; slope 1, and 0 beyond.
template <class S>
struct clip {
    S most;
    template <class L>
    constexpr void operator()(L x, L& y, L& slope) const {
        using f = expr::lane_functions<L>;
        L const end = L(most);
        y = f::where_positive(x - end, end, f::where_positive(-end - x, -end, x));
        slope = f::where_positive(f::abs(x) - end, L(0), L(1));
    }
};

/// y = cap tanh(x / cap) (2408.00118).
template <class S>
struct soft_cap {
    S cap;
    template <class L>
    constexpr void operator()(L x, L& y, L& slope) const {
        L const share = expr::lane_functions<L>::tanh(x / L(cap));
        y = L(cap) * share;
        slope = L(1) - share * share;
    }
};

/// gpt-oss (2508.10925): y = (min(g, most) sigmoid(steepness g)) (clamp(u) + 1).
template <class S>
struct clamped_gate {
    S most, steepness;
    template <class L>
    constexpr void operator()(L gate, L up, L& y) const {
        using f = expr::lane_functions<L>;
        L const end = L(most), g = f::where_positive(gate - end, end, gate);
        L const u = f::where_positive(up - end, end, f::where_positive(-end - up, -end, up));
        y = (u + L(1)) * g / (L(1) + f::exp(L(-steepness) * g));
    }
};

}  // namespace attnlab::rules
