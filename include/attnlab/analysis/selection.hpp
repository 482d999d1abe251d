#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <vector>

#include <attnlab/core/error.hpp>

/// \file
/// Order statistics. Exact by selection where a layer's tensor is at hand; a histogram of magnitudes where a median over a corpus
/// is asked; the k largest of a stream. What is merged gives the same numbers in any order.

namespace attnlab {

/// The k-th smallest, k from 0; the elements are reordered. NaN when there are not so many.
template <class T>
double select(std::vector<T>& x, std::size_t k) {
    if (k >= x.size()) return std::numeric_limits<double>::quiet_NaN();
    auto const at = x.begin() + static_cast<std::ptrdiff_t>(k);
    std::nth_element(x.begin(), at, x.end());
    return static_cast<double>(*at);
}

/// The lower of the two middle ones where their number is even, as torch.median; NaN of nothing. The elements are reordered.
template <class T>
double lower_median(std::vector<T>& x) {
    return x.empty() ? std::numeric_limits<double>::quiet_NaN() : select(x, (x.size() - 1) / 2);
}

/// The lower median of the finite |x|, which stay where they are; NaN when there are none. Magnitudes of floats are ordered as their bits
/// are: three counts, of 11, 10 and 10 bits, find the one in the middle, several times as fast as a selection that moves copies.
inline double lower_median_magnitude(std::span<float const> x) {
    constexpr std::uint32_t infinity = 0x7F800000u;
    constexpr struct {
        unsigned shift, bits;
    } parts[] = {{20, 11}, {10, 10}, {0, 10}};
    std::uint32_t found = 0, known = 0;   // bits of the median, and which of them are settled
    std::uint64_t k = 0;
    for (auto const [shift, bits] : parts) {
        std::array<std::uint64_t, 2048> counts{};
        std::uint32_t const part = (1u << bits) - 1;
        for (float v : x)
            if (std::uint32_t const u = std::bit_cast<std::uint32_t>(v) & 0x7FFFFFFFu; u < infinity && (u & known) == found) ++counts[(u >> shift) & part];
        if (known == 0) {
            std::uint64_t const n = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
            if (n == 0) return std::numeric_limits<double>::quiet_NaN();
            k = (n - 1) / 2;
        }
        std::uint32_t bin = 0;
        for (; k >= counts[bin]; ++bin) k -= counts[bin];
        found |= bin << shift, known |= part << shift;
    }
    return static_cast<double>(std::bit_cast<float>(found));
}
inline double lower_median_magnitude(std::span<double const> x) {
    std::vector<double> magnitudes;
    for (double v : x)
        if (std::isfinite(v)) magnitudes.push_back(std::abs(v));
    return lower_median(magnitudes);
}

/// The k largest numbers of a stream.
class top_k {
public:
    explicit top_k(std::size_t k = 3) : k_(k) { require(k > 0, "top_k: expected k of at least 1"); }

    void add(double x) {
        if (heap_.size() == k_ && !(x > heap_.front())) return;
        if (heap_.size() == k_) {
            std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
            heap_.pop_back();
        }
        heap_.push_back(x);
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
    void merge(top_k const& o) {
        for (double x : o.heap_) add(x);
    }
    /// Largest first; fewer than k where there were not so many.
    std::vector<double> values() const {
        auto out = heap_;
        std::sort(out.begin(), out.end(), std::greater<>());
        return out;
    }

private:
    std::size_t k_;
    std::vector<double> heap_;  // smallest in front
};

/// Counts of magnitudes in bins of relative width 2^-9: a quantile of any number of values to within 0.1 %, in a few kB per
/// binary exponent met. Counts are whole numbers, so that merging in any order gives the same quantile.
class magnitude_histogram {
public:
    /// Half a bin: the largest relative error of `quantile` (of normal numbers).
    static constexpr double relative_error = 0x1p-10;

    void add(double magnitude) {
        ++count_;
        if (magnitude == 0) {
            ++zeros_;
            return;
        }
        auto const bits = std::bit_cast<std::uint64_t>(std::abs(magnitude));
        ++bins_[static_cast<int>(bits >> 52)][(bits >> (52 - fraction_bits)) & (per_exponent - 1)];
    }
    void merge(magnitude_histogram const& o) {
        count_ += o.count_, zeros_ += o.zeros_;
        for (auto const& [exponent, counts] : o.bins_) {
            auto& mine = bins_[exponent];
            for (std::size_t i = 0; i < per_exponent; ++i) mine[i] += counts[i];
        }
    }
    std::int64_t count() const { return count_; }
    /// The k-th smallest magnitude, k from 0: the middle of its bin. NaN when there are not so many.
    double select(std::int64_t k) const {
        if (k < 0 || k >= count_) return std::numeric_limits<double>::quiet_NaN();
        std::int64_t below = zeros_;
        if (k < below) return 0;
        for (auto const& [exponent, counts] : bins_)
            for (std::size_t i = 0; i < per_exponent; ++i)
                if (k < (below += counts[i])) {
                    auto const bits = static_cast<std::uint64_t>(exponent) << 52 | static_cast<std::uint64_t>(2 * i + 1)
                                                                                       << (51 - fraction_bits);
                    return std::bit_cast<double>(bits);
                }
        return std::numeric_limits<double>::quiet_NaN();
    }
    /// The lower median, as above.
    double median() const { return select((count_ - 1) / 2); }

private:
    static constexpr unsigned fraction_bits = 9;
    static constexpr std::size_t per_exponent = std::size_t{1} << fraction_bits;
    std::int64_t count_ = 0, zeros_ = 0;
    std::map<int, std::array<std::int64_t, per_exponent>> bins_;  // by biased exponent, then by the first bits of the fraction
};

}  // namespace attnlab
