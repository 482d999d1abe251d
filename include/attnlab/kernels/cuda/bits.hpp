#pragma once
#include <cstdint>

#include <attnlab/core/view.hpp>

namespace attnlab::gpu {

/// The lowest bit of a word that has one. (<bit> calls functions of the host compiler, which nvcc leaves out of device code.)
constexpr int first_bit(std::uint64_t x) {
#ifdef __CUDA_ARCH__
    return __ffsll(static_cast<long long>(x)) - 1;
#else
    int n = 0;
    for (int half = 32; half > 0; half /= 2)
        if ((x & ((std::uint64_t{1} << half) - 1)) == 0) x >>= half, n += half;
    return n;
#endif
}

/// Divides whole numbers below 2^31 by d (0 counts as 1), which is known before a kernel starts, as a multiplication (Granlund and Montgomery, "Division by Invariant Integers using
/// Multiplication", 1994): with 2^s >= d and m = ceil(2^(31 + s) / d), n m / 2^(31 + s) exceeds n / d by less than 1 / d. A division is some twenty instructions on a GPU, of 64 bits some hundred.
class divisor {
public:
    divisor() = default;
    explicit constexpr divisor(index_t d) : d_(d > 0 ? static_cast<std::uint32_t>(d) : 1) {
        while ((std::uint64_t{1} << (shift_ - 31)) < d_) ++shift_;
        factor_ = static_cast<std::uint32_t>(((std::uint64_t{1} << shift_) + d_ - 1) / d_);
    }
    constexpr std::uint32_t number() const { return d_; }
    constexpr std::uint32_t quotient(std::uint32_t n) const { return static_cast<std::uint32_t>(std::uint64_t{n} * factor_ >> shift_); }
    constexpr std::uint32_t rest(std::uint32_t n) const { return n - quotient(n) * d_; }

private:
    std::uint32_t d_ = 1, factor_ = 1u << 31;
    int shift_ = 31;
};

}  // namespace attnlab::gpu
