#pragma once
#include <attnlab/attention/parameters.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// s <- s t_h log n_i, n_i the keys that query i sees: softmax does not flatten as they become many (SSMax, 2501.19399, without its
/// optional bias). t_h starts at `Initial`, by default the paper's example; not decayed.
template <real Initial = 0.43>
struct scalable_softmax {
    struct parameters {
        head_scalar<"ssmax_scale"> factor{constant(Initial)};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) { return s * (p.factor * log(at.visible)); }
};

}  // namespace attnlab
