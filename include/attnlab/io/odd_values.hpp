#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <attnlab/io/stored_tensor.hpp>

namespace attnlab {

/// Values that are no numbers to compute with.
struct odd_values {
    index_t nan = 0, infinite = 0;
    bool any() const { return nan + infinite > 0; }
};

namespace detail {

/// By the bits: an exponent of ones with a fraction is NaN, without one an infinity.
template <class Bits, Bits exponent, Bits fraction>
odd_values count_odd(std::byte const* from, std::size_t count) {
    odd_values out;
    for (std::size_t i = 0; i < count; ++i) {
        Bits bits;
        std::memcpy(&bits, from + i * sizeof bits, sizeof bits);
        bool const all_ones = (bits & exponent) == exponent, has_fraction = (bits & fraction) != 0;
        out.nan += all_ones & has_fraction;
        out.infinite += all_ones & !has_fraction;
    }
    return out;
}

}  // namespace detail

/// Counts NaN and infinities of a tensor of F64, F32, F16 or BF16 (there are none in whole numbers; 8-bit types are not looked
/// at). Pages are given back as it goes; `advance(bytes)` is told of every piece.
template <class Advance>
odd_values count_odd_values(stored_tensor const& t, Advance advance) {
    constexpr std::size_t piece = std::size_t{1} << 24;
    odd_values out;
    for (std::size_t at = 0; at < t.bytes.size(); at += piece) {
        auto part = t;
        part.bytes = t.bytes.subspan(at, std::min(piece, t.bytes.size() - at));
        auto const* const from = part.bytes.data();
        std::size_t const n = part.bytes.size();
        odd_values found;
        switch (t.type) {
            case dtype::f64:
                found = detail::count_odd<std::uint64_t, 0x7ff0'0000'0000'0000, 0x000f'ffff'ffff'ffff>(from, n / 8);
                break;
            case dtype::f32:
                found = detail::count_odd<std::uint32_t, 0x7f80'0000, 0x007f'ffff>(from, n / 4);
                break;
            case dtype::f16:
                found = detail::count_odd<std::uint16_t, 0x7c00, 0x03ff>(from, n / 2);
                break;
            case dtype::bf16:
                found = detail::count_odd<std::uint16_t, 0x7f80, 0x007f>(from, n / 2);
                break;
            default:
                break;
        }
        out.nan += found.nan, out.infinite += found.infinite;
        part.release();
        advance(n);
    }
    return out;
}

}  // namespace attnlab
