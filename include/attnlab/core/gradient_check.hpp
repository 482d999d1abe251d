#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <attnlab/core/error.hpp>

/// \file
/// Gradients against central differences: the test every policy, layer and model passes, and a user's own.

namespace attnlab {

/// One array that a function reads, and what is said to be its gradient.
struct checked_array {
    std::string name;
    std::span<double> values;
    std::span<double const> gradient;
};

/// Where a gradient and the differences agree least.
struct gradient_report {
    double worst = 0;   ///< relative error there, see `check_gradient`
    std::string array;  ///< empty when every element agrees exactly
    std::size_t element = 0;
    double gradient = 0, difference = 0;

    /// One line: by how much, where, and the two numbers.
    std::string line() const {
        if (array.empty()) return "no disagreement";
        return text("relative error ", worst, " at ", array, "[", element, "]: gradient ", gradient, ", differences ",
                    difference);
    }
};

/// How differences are taken.
struct difference_settings {
    /// Steps, relative to 1 + |x|, tried until one agrees to `enough`; the best one counts. Large steps curve, small ones round.
    std::vector<double> steps{1e-5, 1e-4, 1e-3, 1e-6};
    double enough = 1e-9;
    /// Gradients below this are measured against it: differences resolve no more.
    double floor = 1e-4;
};

/// Compares each gradient with (f(x + h) - f(x - h)) / 2h, one element at a time; `f()` reads the arrays' values, which are put
/// back. The relative error is |g - d| / max(|g|, |d|, floor); one that is not a number counts as infinite. \throws error when an
/// array and its gradient differ in size, or when there is nothing to check
template <std::invocable Function>
gradient_report check_gradient(Function&& f, std::vector<checked_array> const& arrays, difference_settings const& settings = {}) {
    gradient_report report;
    std::size_t elements = 0;
    require(!settings.steps.empty(), "check_gradient: steps: expected at least one");
    for (auto const& a : arrays) {
        require(a.values.size() == a.gradient.size(), "check_gradient: ", a.name, ": ", a.values.size(),
                " values: expected as many in its gradient, got ", a.gradient.size());
        elements += a.values.size();
        for (std::size_t i = 0; i < a.values.size(); ++i) {
            double const x = a.values[i], g = a.gradient[i];
            double best = HUGE_VAL, nearest = 0;
            for (double const step : settings.steps) {
                double const above = x + step * (1 + std::abs(x)), below = x - step * (1 + std::abs(x));
                a.values[i] = above;
                double const high = f();
                a.values[i] = below;
                double const low = f();
                a.values[i] = x;
                double const d = (high - low) / (above - below),
                             error = std::abs(g - d) / std::max({std::abs(g), std::abs(d), settings.floor});
                if (error < best || step == settings.steps.front()) nearest = d;
                if (error < best) best = error;
                if (best <= settings.enough) break;
            }
            if (best > report.worst) report = {best, a.name, i, g, nearest};
        }
    }
    require(elements > 0, "check_gradient: expected at least one element to check");
    return report;
}

}  // namespace attnlab
