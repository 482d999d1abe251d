#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// s <- s t_h: a learned inverse temperature for each head. Starts at 1, not decayed.
struct temperature {
    struct parameters {
        head_scalar<"temperature"> factor{ones};
    };
    static constexpr auto score(auto s, auto const&, auto const& p) { return s * p.factor; }
};

}  // namespace attnlab
