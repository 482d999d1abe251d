#pragma once
#include <bit>
#include <cstdint>

namespace attnlab {

/// A float of which a product takes the upper 19 bits (TF32: 11 bits of precision, the range of a float), on tensor cores, with sums in float.
/// In memory it is the float itself.
struct tfloat32 {
    float value = 0;

    constexpr tfloat32() = default;
    explicit constexpr tfloat32(float x) : value(x) {}
    /// As a factor: rounded to nearest, ties away from zero, as the PTX instruction cvt.rna.tf32 does.
    explicit constexpr operator float() const {
        return value - value == 0 ? std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) + 0x1000u) & ~0x1fffu) : value;
    }
};

}  // namespace attnlab
