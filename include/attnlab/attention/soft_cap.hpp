#pragma once
#include <attnlab/attention/expression.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// s <- C tanh(s / C), so that |s| < C (Gemma 2, 2408.00118, with C = 50).
template <real C>
struct soft_cap {
    static_assert(C > 0, "soft_cap<C>: C must be positive");
    static constexpr auto score(auto s) { return C * tanh(s / C); }
};

}  // namespace attnlab
