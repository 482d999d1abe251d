#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include <attnlab/analysis/outliers/find.hpp>
#include <attnlab/analysis/scores.hpp>

namespace attnlab {

/// Largest over mean |W| of each row or column of a weight.
enum class line { row, column };

struct line_ratios {
    std::vector<double> ratio, mean, largest;
    std::vector<index_t> at;   ///< where along the line the largest stands
    tally seen;

    /// Line numbers, largest ratio first.
    std::vector<std::size_t> order() const {
        std::vector<std::size_t> out(ratio.size());
        std::iota(out.begin(), out.end(), std::size_t{0});
        std::stable_sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) { return ratio[a] > ratio[b]; });
        return out;
    }
};

/// r_i = max_o |W[o,i]| / (mean_o |W[o,i]| + epsilon) of the columns of W (O,I), or the same of its rows (2502.06415, its code).
template <class T>
line_ratios ratios_of(view<T const, 2> w, line along, double epsilon = 1e-8) {
    line_ratios r;
    bool const columns = along == line::column;
    auto const n = static_cast<std::size_t>(w.shape(columns ? 1 : 0));
    std::vector<double> counts(n);
    r.ratio.resize(n), r.mean.resize(n), r.largest.resize(n), r.at.resize(n, 0);
    r.seen.see(w, [&](index_t o, index_t i, double x) {
        auto const at = static_cast<std::size_t>(columns ? i : o);
        double const a = std::abs(x);
        r.mean[at] += a, ++counts[at];
        if (a > r.largest[at]) r.largest[at] = a, r.at[at] = columns ? o : i;
    });
    for (std::size_t i = 0; i < n; ++i) {
        if (counts[i] > 0) r.mean[i] /= counts[i];
        r.ratio[i] = r.largest[i] / (r.mean[i] + epsilon);
    }
    return r;
}

/// Weight outliers of the paper (2502.06415): columns (or rows) whose largest |W| stands out of their mean. Its code draws the
/// ratio and sets no threshold. Here a line is taken when its ratio passes `factor` (0: any), and it is one of the `top` largest
/// of its matrix (0: all); of a line that is taken, every weight that passes factor * mean, and its largest.
struct weight_ratio {
    static constexpr std::string_view name = "weight_ratio";
    static constexpr bool reads(site_kind k) { return k == site_kind::matrix; }
    template <class Site>
    using axes = axis_list<axis::layer, axis::row, axis::column>;

    double factor = 20;   // ours: Gaussian lines of 64 to 16384 weights lie at 3.4 to 5.5, the largest of thousands below 8
    index_t top = 0;
    line along = line::column;
    double epsilon = 1e-8;

    rule_parameters parameters() const {
        return {{"factor", factor}, {"top", top}, {"along", along == line::column ? "column" : "row"}, {"epsilon", epsilon}};
    }

    using reducer = candidates<3>;   // (0, row, column)

    template <class T>
    reducer reduce(index_t, view<T const, 2> w) const {
        auto const r = ratios_of(w, along, epsilon);
        reducer out;
        out.tally::merge(r.seen);
        index_t taken = 0;
        for (std::size_t i : r.order()) {
            if (!(r.ratio[i] > factor) || (top > 0 && taken++ == top)) break;
            auto const line_number = static_cast<index_t>(i);
            index_t const places = w.shape(along == line::column ? 0 : 1);
            for (index_t j = 0; j < places; ++j) {
                auto const [o, c] = along == line::column ? std::pair(j, line_number) : std::pair(line_number, j);
                double const x = static_cast<double>(w(o, c));
                bool const passes = factor > 0 && std::abs(x) > factor * (r.mean[i] + epsilon);
                if (std::isfinite(x) && (passes || j == r.at[i])) out.add({0, o, c}, x);
            }
        }
        return out;
    }

    void decide(std::map<index_t, reducer> const& layers, auto&& found) const {
        for (auto const& [layer, r] : layers)
            for (auto const& c : r.found) found({layer, c.at[1], c.at[2]}, c.value);
    }
};

}  // namespace attnlab
