#pragma once
#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/view.hpp>

namespace attnlab {

/// The gradient of the residual stream, which norms add to on the way back. Where a GPU multiplies in bfloat16, a norm's kernel also makes of it what the next
/// Linear wants of its upstream, which then is not read again: its rows rounded, and the sums of its columns in that Linear's bias's gradient.
template <class Device>
struct stream_gradient {
    using S = typename Device::scalar;

    view<S, 3> whole;            ///< (B, T, C)
    view<bfloat16, 2> rounded;   ///< (B T, C), or empty: no kernel makes it, and a Linear does all itself

    bool is_rounded() const { return !rounded.empty(); }
};

}  // namespace attnlab
