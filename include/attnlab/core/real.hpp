#pragma once
#include <bit>
#include <concepts>
#include <cstdint>

/// \file
/// Numbers at compile time that the language leaves out: a double as template argument, and the logarithm.

namespace attnlab {

/// A double as template argument: `soft_cap<30.0>`, `soft_cap<30>`. Two are the same argument when they are the same bits.
struct real {
    std::uint64_t bits;
    consteval real(double x) : bits(std::bit_cast<std::uint64_t>(x)) {}
    consteval real(int x) : real(static_cast<double>(x)) {}   // a template argument is not converted from int to double on its own
#ifdef __CUDACC__
    /// nvcc hands a template argument of class type to the host's compiler as its members in braces.
    template <std::integral Bits>
        requires(std::same_as<Bits, long> || std::same_as<Bits, unsigned long>)
    consteval real(Bits members) : bits(static_cast<std::uint64_t>(members)) {}
#endif
    constexpr operator double() const { return std::bit_cast<double>(bits); }
};

/// log x of a positive number, to the last digits of a double; std::log is no constant expression.
constexpr double logarithm(double x) {
    constexpr double log_2 = 0.693147180559945309417;
    int twos = 0;
    for (; x > 1.5; x /= 2) ++twos;
    for (; x < 0.75; x *= 2) --twos;
    // log x = 2 artanh(y), y = (x - 1) / (x + 1), at most a fifth
    double const y = (x - 1) / (x + 1);
    double sum = 0, power = y;
    for (int n = 1; n < 40; n += 2, power *= y * y) sum += power / n;
    return twos * log_2 + 2 * sum;
}

}  // namespace attnlab
