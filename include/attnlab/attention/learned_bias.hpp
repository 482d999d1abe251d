#pragma once
#include <attnlab/attention/parameters.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// w_ij = sigmoid(s_ij): sigmoid attention whose bias is a joint of its own. `sigmoid_attention` has the fixed -log T inside.
struct plain_sigmoid {
    static constexpr auto weight(auto s) { return sigmoid(s); }
};

/// s <- s + b_h, learned; with `plain_sigmoid` the learned bias of sigmoid attention (2409.04431). Starts at -log `Length`, the length
/// one trains with; not decayed. Under softmax it would change nothing.
template <index_t Length>
struct learned_bias {
    static_assert(Length > 0, "learned_bias<Length>: the length one trains with must be positive");
    struct parameters {
        head_scalar<"score_bias"> bias{constant(-logarithm(double{Length}))};
    };
    static constexpr auto score(auto s, auto const&, auto const& p) { return s + p.bias; }
};

}  // namespace attnlab
