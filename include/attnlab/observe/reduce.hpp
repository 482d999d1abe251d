#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/observer.hpp>

/// \file
/// Reducers: what is kept of a tensor that is not kept. They accumulate in double, merge (batches, threads), and count what is not
/// a finite number instead of hiding it.

namespace attnlab {

/// Power sums of a stream of numbers, enough for every moment score. Kurtosis is the uncentred E[x^4]/E[x^2]^2 unless asked.
class moments {
public:
    void add(double x) {
        if (!std::isfinite(x)) {
            ++not_finite_;
            return;
        }
        double const a = std::abs(x), s = x * x;
        ++count_;
        sum_ += x;
        sum_abs_ += a;
        sum2_ += s;
        sum3_ += s * x;
        sum4_ += s * s;
        max_abs_ = std::max(max_abs_, a);
    }
    template <class T, std::size_t N>
    void add(view<T, N> x) {
        for (auto v : x) add(static_cast<double>(v));
    }
    void merge(moments const& o) {
        count_ += o.count_, not_finite_ += o.not_finite_;
        sum_ += o.sum_, sum_abs_ += o.sum_abs_, sum2_ += o.sum2_, sum3_ += o.sum3_, sum4_ += o.sum4_;
        max_abs_ = std::max(max_abs_, o.max_abs_);
    }

    std::int64_t count() const { return count_; }
    std::int64_t not_finite() const { return not_finite_; }
    double mean() const { return sum_ / n(); }
    double mean_abs() const { return sum_abs_ / n(); }
    double rms() const { return std::sqrt(sum2_ / n()); }
    /// Of the numbers seen, not of a population that they stand for.
    double standard_deviation() const { return std::sqrt(std::max(0., sum2_ / n() - mean() * mean())); }
    double max_abs() const { return max_abs_; }
    /// E[x^4] / E[x^2]^2; 3 for a centred Gaussian.
    double kurtosis() const { return n() * sum4_ / (sum2_ * sum2_); }
    /// E[(x-mu)^4] / (E[(x-mu)^2])^2 (2306.12929).
    double centred_kurtosis() const {
        double const m = mean(), e2 = sum2_ / n(), e3 = sum3_ / n(), e4 = sum4_ / n(), variance = e2 - m * m;
        return (e4 - 4 * m * e3 + 6 * m * m * e2 - 3 * m * m * m * m) / (variance * variance);
    }

    /// `row(name, value)` for each of them, for streams.
    template <class Row>
    void each(Row&& row) const {
        row("mean", mean()), row("rms", rms()), row("max_abs", max_abs()), row("kurtosis", kurtosis());
        row("not_finite", static_cast<double>(not_finite()));
    }

private:
    double n() const { return static_cast<double>(count_); }
    std::int64_t count_ = 0, not_finite_ = 0;
    double sum_ = 0, sum_abs_ = 0, sum2_ = 0, sum3_ = 0, sum4_ = 0, max_abs_ = 0;
};

/// Mean of a stream of numbers; empty gives NaN.
class running_mean {
public:
    void add(double x) { sum_ += x, ++count_; }
    void merge(running_mean const& o) { sum_ += o.sum_, count_ += o.count_; }
    double mean() const { return sum_ / static_cast<double>(count_); }
    std::int64_t count() const { return count_; }

private:
    double sum_ = 0;
    std::int64_t count_ = 0;
};

/// An observer that keeps a `Reducer` of each site and layer, and no tensor: `reduce<moments, site::resid_post> r; model.logits(x, r);
/// r.at("blocks.0.hook_resid_post").kurtosis()`. A reducer has `add(view)` and `merge(reducer)`; what threads or batches saw merges.
template <class Reducer, class... Sites>
class reduce {
public:
    using sites = site_list<Sites...>;

    template <class Site, class T, std::size_t N>
    void operator()(Site, index_t layer, view<T const, N> x) {
        auto const name = site::full_name<Site>(layer);
        seen_[name].add(x);
        places_[name] = {Site::name, Site::per_layer ? layer : -1};
    }
    void merge(reduce const& o) {
        for (auto const& [name, r] : o.seen_) seen_[name].merge(r);
        places_.insert(o.places_.begin(), o.places_.end());
    }
    /// `row("hook_resid_post.kurtosis", value, layer)` for each number that the reducers tell; layer -1 outside the blocks.
    template <class Row>
    void each(Row&& row) const {
        for (auto const& [name, r] : seen_) {
            auto const& p = places_.at(name);
            r.each([&](std::string_view number, double value) { row(text(p.site, '.', number), value, p.layer); });
        }
    }
    /// \throws error when that site was not seen
    Reducer const& at(std::string const& name) const {
        auto const it = seen_.find(name);
        if (it != seen_.end()) return it->second;
        std::vector<std::string> names;
        for (auto const& [seen, r] : seen_) names.push_back(seen);
        fail("nothing was seen at site '", name, "'; seen: ", joined(names));
    }
    std::map<std::string, Reducer> const& all() const { return seen_; }

private:
    struct place {
        std::string_view site;
        index_t layer;
    };
    std::map<std::string, Reducer> seen_;
    std::map<std::string, place> places_;
};

}  // namespace attnlab
