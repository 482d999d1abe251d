#pragma once
#include <bit>
#include <cstdint>

namespace attnlab {

/// The upper half of a float: 8 bits of precision, the range of a float. A format to multiply in, with sums in float.
struct bfloat16 {
    std::uint16_t bits;

    bfloat16() = default;   // trivial, so that a buffer of them is left as it is; bfloat16{} is 0
    /// Rounds to nearest, ties to even; NaN stays NaN.
    explicit constexpr bfloat16(float x) {
#ifdef __CUDA_ARCH__
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
#else
        auto const u = std::bit_cast<std::uint32_t>(x);
        std::uint32_t const nearest = (u + 0x7fff + ((u >> 16) & 1)) >> 16, quiet = (u >> 16) | 0x40;
        bits = static_cast<std::uint16_t>(x == x ? nearest : quiet);
#endif
    }
    explicit constexpr operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

}  // namespace attnlab
