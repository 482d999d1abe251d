#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

/// \file
/// Floats of fewer bits. attnlab rounds by code of its own (core/bfloat16.hpp, core/tfloat32.hpp), which this is a check of.

namespace simulated {

/// The nearest bfloat16, of two the even one; a NaN stays one.
inline std::uint16_t bfloat16_of(float x) {
    auto const bits = std::bit_cast<std::uint32_t>(x);
    if (std::isnan(x)) return 0x7fff;
    return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float of_bfloat16(std::uint32_t x) { return std::bit_cast<float>((x & 0xffff) << 16); }

/// The nearest tf32 (10 bits of fraction), of two the one further from zero.
inline std::uint32_t tf32_of(float x) {
    auto const bits = std::bit_cast<std::uint32_t>(x);
    return std::isfinite(x) ? (bits + 0x1000) & ~0x1fffu : bits;
}
/// As a tensor core reads a register: its low 13 bits are not looked at.
inline float of_tf32(std::uint32_t x) { return std::bit_cast<float>(x & ~0x1fffu); }

}  // namespace simulated
