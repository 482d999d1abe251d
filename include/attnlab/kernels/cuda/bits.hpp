#pragma once
#include <cstdint>

namespace attnlab::gpu {

/// The lowest and the highest bit of a word that has one. (<bit> calls functions of the host compiler, which nvcc leaves out of device code.)
constexpr int first_bit(std::uint64_t x) {
    int n = 0;
    for (int half = 32; half > 0; half /= 2)
        if ((x & ((std::uint64_t{1} << half) - 1)) == 0) x >>= half, n += half;
    return n;
}
constexpr int last_bit(std::uint64_t x) {
    int n = 0;
    for (int half = 32; half > 0; half /= 2)
        if (x >> half) x >>= half, n += half;
    return n;
}

}  // namespace attnlab::gpu
