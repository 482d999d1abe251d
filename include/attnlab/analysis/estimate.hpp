#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

/// \file
/// What a few seeds, or sequences, say about a number: mean, 95 % interval, median.

namespace attnlab {

/// The two-sided 95 % quantile of Student's t with `degrees` of freedom: a table up to 10, then Fisher's expansion in 1/degrees
/// (Abramowitz and Stegun 26.7.5; off by less than 1e-4).
inline double student_t(std::size_t degrees) {
    constexpr std::array table = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281};
    if (degrees == 0) return std::numeric_limits<double>::quiet_NaN();
    if (degrees <= table.size()) return table[degrees - 1];
    double const x = 1.959963985, n = static_cast<double>(degrees), x3 = x * x * x, x5 = x3 * x * x;
    return x + (x3 + x) / (4 * n) + (5 * x5 + 16 * x3 + 3 * x) / (96 * n * n) +
           (3 * x5 * x * x + 19 * x5 + 17 * x3 - 15 * x) / (384 * n * n * n);
}

/// Numbers of several seeds, summarised. Values that are not finite are counted in `missing` and left out.
struct estimate {
    std::size_t count = 0, missing = 0;
    double mean = std::numeric_limits<double>::quiet_NaN();
    double standard_error = mean;  ///< of the mean; NaN with fewer than two values
    double half_width = mean;  ///< of the 95 % interval of the mean; NaN with fewer than two values
    double median = mean, min = mean, max = mean;

    bool empty() const { return count + missing == 0; }
    bool has_interval() const { return count >= 2; }
};

inline estimate estimate_of(std::vector<double> values) {
    estimate e;
    auto const end = std::remove_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
    e.missing = static_cast<std::size_t>(values.end() - end);
    values.erase(end, values.end());
    e.count = values.size();
    if (values.empty()) return e;

    std::sort(values.begin(), values.end());
    auto const n = values.size();
    e.min = values.front(), e.max = values.back();
    e.median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
    double sum = 0, squares = 0;
    for (double v : values) sum += v;
    e.mean = sum / static_cast<double>(n);
    for (double v : values) squares += (v - e.mean) * (v - e.mean);
    if (n < 2) return e;
    e.standard_error = std::sqrt(squares / static_cast<double>(n - 1) / static_cast<double>(n));
    e.half_width = student_t(n - 1) * e.standard_error;
    return e;
}

/// Losses of sequences, summarised; one that is no number makes the mean none.
inline estimate mean_loss(std::vector<double> losses) {
    auto e = estimate_of(std::move(losses));
    if (e.missing > 0) e.mean = e.standard_error = e.half_width = std::numeric_limits<double>::quiet_NaN();
    return e;
}

}  // namespace attnlab
