#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

/// \file
/// Random numbers by position, not by history: the n-th number of a stream is a function of (key, n). The same weights and the
/// same batches come out whatever the order, the thread or the attention policy.
/// SplitMix64 with random access (Steele, Lea, Flood 2014); constants as in docs of the Bigram-Backcopy task.

namespace attnlab::rng {

using key = std::uint64_t;

/// The finaliser of SplitMix64.
constexpr std::uint64_t mix64(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/// The key of stream `id` under `seed`.
constexpr key stream(std::uint64_t seed, std::uint64_t id) { return mix64(seed * 0x100000001B3ull + id); }

/// The key of a named stream (a parameter's name, for instance): FNV-1a over the name.
constexpr key stream(std::uint64_t seed, std::string_view name) {
    std::uint64_t h = 0xCBF29CE484222325ull;
    for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
    return stream(seed, h);
}

/// The n-th 64 bits of a stream.
constexpr std::uint64_t bits(key k, std::uint64_t n) { return mix64(k + (n + 1) * 0x9E3779B97F4A7C15ull); }

/// The n-th number of a stream, uniform in [0, 1).
constexpr double uniform(key k, std::uint64_t n) { return static_cast<double>(bits(k, n) >> 11) * 0x1p-53; }

/// The n-th number of a stream, normal with mean 0 and deviation 1 (Box-Muller on numbers 2n and 2n+1).
inline double normal(key k, std::uint64_t n) {
    double const radius = std::sqrt(-2 * std::log1p(-uniform(k, 2 * n)));
    return radius * std::cos(2 * std::numbers::pi * uniform(k, 2 * n + 1));
}

}  // namespace attnlab::rng
