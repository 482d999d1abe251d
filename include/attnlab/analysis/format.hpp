#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include <attnlab/analysis/estimate.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// Numbers as a report prints them: two or three figures, one dash for what is not there.

namespace attnlab {

/// What stands for a number that was not measured.
inline constexpr char const* absent = "\u2013";

/// Decimals that leave two or three figures of a number of this size, at most three.
inline int decimals_of(double x) {
    double const a = std::abs(x);
    return a >= 100 ? 0 : a >= 10 ? 1 : a >= 0.1 ? 2 : 3;
}

/// `x` with that many decimals; from 10 000 on with spaces between thousands. NaN and infinities are spelt, not hidden.
inline std::string number(double x, int decimals) {
    if (!std::isfinite(x)) return std::isnan(x) ? "NaN" : x > 0 ? "infinite" : "-infinite";
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.*f", decimals, x);
    std::string out = buffer;
    if (out[0] == '-' && out.find_first_of("123456789") == out.npos) out.erase(0, 1);   // a zero after rounding has no sign
    if (std::abs(x) < 10000 || std::abs(x) >= 1e15) return out;
    auto const end = static_cast<std::ptrdiff_t>(std::min(out.find('.'), out.size()));
    for (auto at = end - 3; at > (x < 0 ? 1 : 0); at -= 3) out.insert(static_cast<std::size_t>(at), "\u202f");
    return out;
}
inline std::string number(double x) { return number(x, std::abs(x - std::round(x)) < 1e-9 && std::abs(x) < 1e15 ? 0 : decimals_of(x)); }

/// "0.77 ± 0.15": mean and 95 % interval, decimals after the mean; without an interval where there is one seed; "(2 of 3)" where a
/// value is not a number or fewer seeds have one than were `asked`; `absent` where there is nothing.
inline std::string mean_and_interval(estimate const& e, std::size_t asked = 0, int least_decimals = 0) {
    if (e.empty()) return absent;
    if (e.count == 0) return "NaN";
    int const decimals = std::max(least_decimals, decimals_of(e.mean));
    bool const exact = e.min == e.max && std::abs(e.mean - std::round(e.mean)) < 1e-9;  // a count, the same in every seed
    std::string out = number(e.mean, exact ? 0 : decimals);
    if (e.has_interval() && !exact) out += " ± " + number(e.half_width, decimals);
    if (auto const all = std::max(asked, e.count + e.missing); e.count < all) out += text(" (", e.count, " of ", all, ")");
    return out;
}

/// "0.023 to 0.026", or one number where they print alike.
inline std::string range_text(double low, double high) {
    int const decimals = std::min(decimals_of(low), decimals_of(high));
    auto const a = number(low, decimals), b = number(high, decimals);
    return a == b ? a : a + " to " + b;
}

/// "a", "a and b", "a, b and c".
inline std::string listed(std::vector<std::string> const& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) out += (i == 0 ? "" : i + 1 < words.size() ? ", " : " and ") + words[i];
    return out;
}

/// "layer 3", "layers 3, 4 and 5".
inline std::string named(std::string const& what, std::vector<std::string> const& which) { return what + (which.size() == 1 ? " " : "s ") + listed(which); }
inline std::string named(std::string const& what, std::vector<index_t> const& which) {
    std::vector<std::string> words;
    for (index_t n : which) words.push_back(std::to_string(n));
    return named(what, words);
}

/// "one", "two" ... as sentences begin with words; digits from ten on.
inline std::string count_word(std::size_t n) {
    constexpr char const* words[] = {"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    return n < 10 ? words[n] : std::to_string(n);
}

/// Of how many seeds a median is, as "in ..." goes on: of two it is their mean.
inline std::string median_of(std::size_t seeds) {
    if (seeds < 2) return "the one seed";
    if (seeds % 2 == 1) return "the median seed";
    return (seeds == 2 ? "the mean of " : "the median of ") + count_word(seeds) + " seeds";
}

}  // namespace attnlab
