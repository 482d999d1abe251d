#pragma once
#include <attnlab/attention/functions.hpp>
#include <attnlab/attention/row_program.hpp>
#include <attnlab/kernels/cpu/simd.hpp>

/// \file
/// The language of joints on a register of floats.

namespace attnlab {

namespace expr {
template <>
struct lane_functions<lanes> {
    static lanes exp(lanes x) { return attnlab::exp(x); }
    static lanes log(lanes x) { return attnlab::log(x); }
    static lanes log1p_of_unit(lanes x) { return attnlab::log1p_of_unit(x); }
    static lanes inverse(lanes x) { return lanes(1.0f) / x; }
    static lanes sqrt(lanes x) { return xsimd::sqrt(x); }
    static lanes tanh(lanes x) { return attnlab::tanh(x); }
    static lanes abs(lanes x) { return xsimd::abs(x); }
    static lanes where_positive(lanes x, lanes a, lanes b) { return xsimd::select(x > lanes(0.0f), a, b); }
};
}  // namespace expr

/// Rows walked a register at a time.
struct simd_lanes {
    using scalar = float;
    using pack = lanes;
    static constexpr index_t width = register_width;
    static lanes load(float const* p) { return attnlab::load(p); }
    static void store(float* p, lanes x) { attnlab::store(p, x); }
    static float sum(lanes x) { return hsum(x); }
    static lanes counting() { return attnlab::counting(); }
    /// x from lane `first` on, 0 before it.
    static lanes from(index_t first, lanes x) { return select(mask_of(~0u << first), x, lanes(0.0f)); }
};

}  // namespace attnlab
