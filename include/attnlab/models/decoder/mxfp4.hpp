#pragma once
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <attnlab/io/stored_tensor.hpp>

/// \file
/// MXFP4, the OCP's microscaling format (Microscaling Formats v1.0), as gpt-oss publishes its experts: blocks of 32 values of 4 bits, E2M1,
/// two a byte, the first in the lower half; each block times 2^(s - 127), s a byte of its own.

namespace attnlab {

/// The 16 numbers of E2M1: a sign, two bits of exponent, one of fraction.
inline constexpr std::array<float, 16> e2m1_values{0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f, -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

/// 2^(s - 127); 255 is no number.
inline float e8m0_value(std::uint8_t s) {
    return s == 255 ? std::numeric_limits<float>::quiet_NaN() : s == 0 ? 0x1p-127f : std::bit_cast<float>(static_cast<std::uint32_t>(s) << 23);
}

/// Values first to first + count - 1 of a matrix stored so, row by row. \param first,count multiples of 32
/// \param blocks (O, I / 32, 16), bytes \param scales (O, I / 32), bytes
template <class S>
void read_mxfp4(stored_tensor const& blocks, stored_tensor const& scales, index_t first, index_t count, S* to) {
    auto const byte = [](stored_tensor const& t, index_t i) { return std::to_integer<std::uint8_t>(t.bytes[static_cast<std::size_t>(i)]); };
    for (index_t b = first / 32; b < (first + count) / 32; ++b) {
        float const scale = e8m0_value(byte(scales, b));
        for (index_t i = 0; i < 16; ++i) {
            std::uint8_t const two = byte(blocks, b * 16 + i);
            *to++ = static_cast<S>(scale * e2m1_values[two & 15]);
            *to++ = static_cast<S>(scale * e2m1_values[two >> 4]);
        }
    }
}

}  // namespace attnlab
