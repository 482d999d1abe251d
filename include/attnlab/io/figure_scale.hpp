#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/io/figure.hpp>

/// \file
/// Ranges and tick marks: which part of the numbers a panel shows, and where numbers stand along its axes.

namespace attnlab::detail {

/// The least and greatest of the values that can be shown.
struct extent {
    bool log = false;
    double low = std::numeric_limits<double>::infinity(), high = -low;

    bool shows(double value) const { return std::isfinite(value) && (!log || value > 0); }
    void add(double value) {
        if (!shows(value)) return;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    void add(std::vector<double> const& values) {
        for (double v : values) add(v);
    }
    /// The range with a margin of that share; something to draw on even where no value can be shown.
    shown_range padded(double share) const {
        if (low > high) return log ? shown_range{1, 10} : shown_range{0, 1};
        if (log) {
            double const by = low == high ? 2 : std::pow(high / low, share);
            return {low / by, high * by};
        }
        double const by = low == high ? 0.5 * std::max(std::abs(low), 1e-12) : share * (high - low);
        // What never goes below zero gets no axis below zero.
        return {low >= 0 ? std::max(0.0, low - by) : low - by, high + by};
    }
};

struct tick {
    double at;
    std::string label;
};

/// 20, 0.5, 150k, 2M: as the other ticks of the axis need it.
inline std::string tick_label(double value, double largest) {
    char out[32];
    bool const millions = largest >= 2e6 && largest < 1e10, thousands = !millions && largest >= 1e5 && largest < 2e6;
    double const shown = millions ? value / 1e6 : thousands ? value / 1e3 : value;
    std::snprintf(out, sizeof out, "%.6g%s", shown, shown == 0 ? "" : millions ? "M" : thousands ? "k" : "");
    return out;
}

/// Ticks at multiples of 1, 2 or 5 times a power of ten, about `count` of them; `whole`: at whole numbers only.
inline std::vector<tick> linear_ticks(shown_range range, double count, bool whole) {
    double const raw = (range.high - range.low) / std::max(count, 1.0), power = std::pow(10, std::floor(std::log10(raw)));
    double step = raw <= power ? power : raw <= 2 * power ? 2 * power : raw <= 5 * power ? 5 * power : 10 * power;
    if (whole) step = std::max(1.0, step);
    std::vector<tick> out;
    double const largest = std::max(std::abs(range.low), std::abs(range.high)), slack = 1e-9 * step;
    for (double k = std::ceil((range.low - slack) / step); k * step <= range.high + slack; ++k)
        out.push_back({k * step + 0.0, tick_label(k * step + 0.0, largest)});  // + 0.0: no "-0"
    return out;
}

/// Ticks at powers of ten, or 1-2-5 within each where the range has few of them. Far from one they are written 10^{k}.
inline std::vector<tick> log_ticks(shown_range range, double count) {
    double const first = std::floor(std::log10(range.low)), last = std::ceil(std::log10(range.high));
    double const decades = std::log10(range.high / range.low);
    std::vector<double> const within = decades < 1.7 ? std::vector<double>{1, 2, 5} : std::vector<double>{1};
    double const stride = std::max(1.0, std::round(decades / std::max(count, 2.0)));
    bool const powers = within.size() == 1 && (range.low < 0.99e-3 || range.high > 1.01e4);
    std::vector<tick> out;
    for (double k = std::ceil(first / stride) * stride; k <= last; k += stride)
        for (double m : within) {
            double const at = m * std::pow(10, k);
            if (at < range.low * (1 - 1e-9) || at > range.high * (1 + 1e-9)) continue;
            char power[32];
            std::snprintf(power, sizeof power, "10^{%.0f}", k);
            out.push_back({at, powers ? std::string(power) : tick_label(at, range.high)});
        }
    // Less than a step of 1-2-5: plain steps say more than one lone number.
    return out.size() >= 2 ? out : linear_ticks(range, 3, false);
}

/// Every n-th name, so that about `count` are shown.
inline std::vector<tick> name_ticks(std::vector<std::string> const& names, double count) {
    auto const every = static_cast<std::size_t>(std::max(1.0, std::ceil(static_cast<double>(names.size()) / std::max(count, 1.0))));
    std::vector<tick> out;
    for (std::size_t i = 0; i < names.size(); i += every) out.push_back({static_cast<double>(i), names[i]});
    return out;
}

/// An axis as it is drawn.
struct scale {
    shown_range range{0, 1};
    bool log = false, named = false;
    std::vector<tick> ticks{};

    double widest() const {
        std::size_t widest = 0;
        for (auto const& t : ticks) {
            // The braces and the raised digits of 10^{-3} take less room than their characters.
            auto const points = static_cast<std::size_t>(std::count_if(t.label.begin(), t.label.end(), [](char c) { return (c & 0xC0) != 0x80; }));
            widest = std::max(widest, !named && t.label.find('^') != t.label.npos ? points - 2 : points);
        }
        return static_cast<double>(widest);
    }
};

inline scale make_scale(figure_axis const& a, shown_range range, double count, bool whole) {
    scale out{a.range.value_or(range), a.log, !a.names.empty(), {}};
    out.ticks = out.named ? name_ticks(a.names, count) : a.log ? log_ticks(out.range, count) : linear_ticks(out.range, count, whole);
    return out;
}

}  // namespace attnlab::detail
