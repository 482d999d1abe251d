#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/analysis/scores.hpp>
#include <attnlab/analysis/stream_scores.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/observe/observer.hpp>
#include <attnlab/observe/reduce.hpp>

/// \file
/// What `measure` asks of patterns, asked of the by-products of the kernel's tiles: no T x T array, so that a training run can be looked
/// at every few steps. Definitions: metrics.hpp.

namespace attnlab {

/// One head: where its attention goes and what it finds there.
class head_statistics {
public:
    /// Sums over the queries of the weights of each key, (T).
    template <class T>
    void add_sums(view<T, 1> sums) {
        index_t top = 0;
        for (index_t j = 0; j < sums.shape(0); ++j) {
            if (!std::isfinite(sums(j))) {
                ++not_finite_;
                return;
            }
            if (sums(j) > sums(top)) top = j;
        }
        auto const share = [&](index_t j) { return static_cast<double>(sums(j)) / static_cast<double>(sums.shape(0)); };
        sink_.add(share(0)), top_share_.add(share(top));
        if (top >= static_cast<index_t>(times_top_.size())) times_top_.resize(static_cast<std::size_t>(top) + 1);
        ++times_top_[static_cast<std::size_t>(top)];
    }
    template <class T>
    void add_entropy(view<T, 1> entropy) {
        for (T x : entropy)
            if (keep(x)) entropy_.add(static_cast<double>(x));
    }
    /// A query that sees no key has -infinity, which is no fault.
    template <class T>
    void add_largest_score(view<T, 1> largest) {
        for (T x : largest) {
            if (x == -std::numeric_limits<T>::infinity() || !keep(x)) continue;
            largest_score_ = std::isnan(largest_score_) ? static_cast<double>(x) : std::max(largest_score_, static_cast<double>(x));
        }
    }
    /// `row(name, value)` for each score.
    template <class Row>
    void each(Row&& row) const {
        auto const top = std::max_element(times_top_.begin(), times_top_.end()) - times_top_.begin();
        row("sink_share", sink_.mean());
        row("top_key", times_top_.empty() ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(top));
        row("top_key_share", top_share_.mean());
        row("attention_entropy", entropy_.mean());
        row("largest_score", largest_score_);
    }
    std::int64_t not_finite() const { return not_finite_; }

private:
    template <class T>
    bool keep(T x) {
        bool const finite = std::isfinite(x);
        not_finite_ += !finite;
        return finite;
    }

    running_mean sink_, top_share_, entropy_;
    std::vector<std::int64_t> times_top_;   // sequences in which the key is the largest
    double largest_score_ = std::numeric_limits<double>::quiet_NaN();
    std::int64_t not_finite_ = 0;
};

/// `measure_statistics<float> m; model.loss(x, y, m); m.each(row);` for `row(metric, value, layer, head)`.
template <class T>
class measure_statistics {
public:
    using sites = site_list<site::resid_pre, site::v, site::pattern_sums, site::pattern_entropy, site::largest_score, site::resid_post>;

    /// \param outlier_factor  factor of the third count of outliers, beside 1000 and 50
    explicit measure_statistics(double outlier_factor = 20) : outlier_factor_(outlier_factor), entering_(outlier_factor) {
        require(outlier_factor > 0, "outlier factor: expected a number above 0");
    }

    /// The stream between two blocks is the output of the first.
    void operator()(site::resid_pre, index_t layer, view<T const, 3> x) {
        if (layer == 0) entering_.add(x);
    }
    void operator()(site::resid_post, index_t layer, view<T const, 3> x) { at(layer).leaving.add(x); }
    void operator()(site::v, index_t layer, view<T const, 4> x) {
        each_head(at(layer).values, x, [](row_against_rest& values, auto v) { values.add(v); });
    }
    void operator()(site::pattern_sums, index_t layer, view<T const, 3> x) {
        each_head(at(layer).heads, x, [](head_statistics& head, auto sums) { head.add_sums(sums); });
    }
    void operator()(site::pattern_entropy, index_t layer, view<T const, 3> x) {
        each_head(at(layer).heads, x, [](head_statistics& head, auto entropy) { head.add_entropy(entropy); });
    }
    void operator()(site::largest_score, index_t layer, view<T const, 3> x) {
        each_head(at(layer).heads, x, [](head_statistics& head, auto largest) { head.add_largest_score(largest); });
    }

    /// `row(metric, value, layer, head)` for each head, `row(metric, value, layer)` for each layer; then what is not finite.
    template <class Row>
    void each(Row&& row) const {
        std::int64_t not_finite = entering_.not_finite();
        entering_.each([&](char const* name, double value) { row(std::string("resid_pre.") + name, value, 0); });
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            auto const& layer = layers_[l];
            auto const number = static_cast<index_t>(l);
            for (std::size_t h = 0; h < layer.heads.size(); ++h) {
                auto const of_head = [&](char const* name, double value) { row(name, value, number, static_cast<index_t>(h)); };
                layer.heads[h].each(of_head);
                // Under grouped queries several heads read one head of values.
                if (!layer.values.empty()) of_head("value_ratio", layer.values[h * layer.values.size() / layer.heads.size()].ratio());
            }
            layer.leaving.each([&](char const* name, double value) { row(std::string("resid_post.") + name, value, number); });
            not_finite += layer.leaving.not_finite();
            for (auto const& head : layer.heads) not_finite += head.not_finite();
            for (auto const& values : layer.values) not_finite += values.not_finite();
        }
        row("not_finite", static_cast<double>(not_finite));
    }

private:
    struct layer_statistics {
        explicit layer_statistics(double factor) : leaving(factor) {}
        stream_scores leaving;
        std::vector<head_statistics> heads;
        std::vector<row_against_rest> values;   // of the heads of values
    };

    layer_statistics& at(index_t layer) {
        while (static_cast<index_t>(layers_.size()) <= layer) layers_.emplace_back(outlier_factor_);
        return layers_[static_cast<std::size_t>(layer)];
    }
    /// `add(kept of a head, its numbers)` for every head of every sequence; x (B, H, ...).
    template <class Kept, std::size_t N, class Add>
    static void each_head(std::vector<Kept>& kept, view<T const, N> x, Add add) {
        if (kept.size() < static_cast<std::size_t>(x.shape(1))) kept.resize(static_cast<std::size_t>(x.shape(1)));
        for (index_t b = 0; b < x.shape(0); ++b)
            for (index_t h = 0; h < x.shape(1); ++h) add(kept[static_cast<std::size_t>(h)], x[b][h]);
    }

    double outlier_factor_;
    stream_scores entering_;
    std::vector<layer_statistics> layers_;
};

}  // namespace attnlab
