#pragma once
#include <cmath>
#include <numbers>

#include <attnlab/attention/rotate.hpp>
#include <attnlab/core/real.hpp>

/// \file
/// Rotary position embedding of q and k (RoPE, 2104.09864) and its scalings for longer texts. Angles are computed in double.

namespace attnlab {

/// Base^(-2 p / rotated) for pair p of the first `Rotated` channels, 0: of all D. Without `Interleaved`, pairs are (p, p + rotated / 2).
template <real Base, index_t Rotated, bool Interleaved>
struct rope_frequencies {
    static_assert(Base > 0 && Rotated >= 0 && Rotated % 2 == 0,
                  "rope<Base, Rotated>: expected a positive base and an even number of channels");
    static constexpr rotary_pairs pairs(index_t D) {
        return {Rotated == 0 ? D : Rotated, Interleaved};
    }
    static constexpr double frequency(index_t pair, rotary_pairs all) {
        return std::pow(double{Base}, -2.0 * static_cast<double>(pair) / static_cast<double>(all.rotated));
    }
};

/// All frequencies divided by `Factor`: positions interpolated (2306.15595).
template <class Rotation, real Factor>
struct linear_scaled {
    static_assert(Factor > 0, "rope_linear<Factor>: expected a positive factor");
    static constexpr rotary_pairs pairs(index_t D) { return Rotation::pairs(D); }
    static constexpr double frequency(index_t pair, rotary_pairs all) { return Rotation::frequency(pair, all) / Factor; }
};

/// Wavelengths above `Length` / `Low` divided by `Factor`, those below `Length` / `High` kept, linear in 1 / wavelength between (Llama
/// 3.1, 2407.21783; the rope_type "llama3" of transformers).
template <class Rotation, real Factor, real Low, real High, index_t Length>
struct llama3_scaled {
    static_assert(Factor > 0 && Low < High && Length > 0,
                  "rope_llama3<Base, Factor, Low, High, Length>: expected Factor > 0, Low < High, Length > 0");
    static constexpr rotary_pairs pairs(index_t D) { return Rotation::pairs(D); }
    static constexpr double frequency(index_t pair, rotary_pairs all) {
        double const f = Rotation::frequency(pair, all), waves = static_cast<double>(Length) * f / (2 * std::numbers::pi);
        if (waves < Low) return f / Factor;
        if (waves > High) return f;
        double const kept = (waves - Low) / (High - Low);
        return (1 - kept) * f / Factor + kept * f;
    }
};

/// q and k turned by their positions.
template <class Rotation>
struct rotary {
    static constexpr auto query(auto const& row) { return rotate(row.query, Rotation{}); }
    static constexpr auto key(auto const& row) { return rotate(row.key, Rotation{}); }
};

/// `rope<>`, or as GPT-J `rope<10000, 64, true>`. (A struct, as nvcc 13 mistakes aliases whose arguments are of class type.)
template <real Base = 10000, index_t Rotated = 0, bool Interleaved = false>
struct rope : rotary<rope_frequencies<Base, Rotated, Interleaved>> {};

/// `rope_linear<4>`: for texts four times as long.
template <real Factor, real Base = 10000, index_t Rotated = 0, bool Interleaved = false>
struct rope_linear : rotary<linear_scaled<rope_frequencies<Base, Rotated, Interleaved>, Factor>> {};

/// `rope_llama3<>`: Llama 3.1; `rope_llama3<500000, 32>`: the small ones of 3.2.
template <real Base = 500000, real Factor = 8, real Low = 1, real High = 4, index_t Length = 8192, index_t Rotated = 0,
          bool Interleaved = false>
struct rope_llama3 : rotary<llama3_scaled<rope_frequencies<Base, Rotated, Interleaved>, Factor, Low, High, Length>> {};

}  // namespace attnlab
