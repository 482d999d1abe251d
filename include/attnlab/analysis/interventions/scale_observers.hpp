#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <attnlab/analysis/interventions/attention_changer.hpp>
#include <attnlab/analysis/interventions/sink_cache.hpp>
#include <attnlab/analysis/scores.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/core/error.hpp>

/// \file
/// What `sink_as_scale` does to a model's heads, one observer a part.

namespace attnlab {

/// One head, over the queries after the sink.
struct head_scale {
    index_t layer = 0, head = 0;
    std::vector<float> scale;   ///< S_i, in the order of the text
    moments all;                ///< of them
    running_mean sink_part;     ///< |a_i v_sink| / |o_i|
    bool sink = false;          ///< whether it was intervened on
    double excess_risk = std::numeric_limits<double>::quiet_NaN();   ///< loss with its output at zero, less the loss; nats a token

    double mean() const { return all.mean(); }
    double variance() const { return all.standard_deviation() * all.standard_deviation(); }
    /// The value below which the share p of the queries lies.
    double quantile(double p) const {
        if (scale.empty()) return std::numeric_limits<double>::quiet_NaN();
        auto sorted = scale;
        auto const at = sorted.begin() + static_cast<std::ptrdiff_t>(std::nearbyint(p * static_cast<double>(sorted.size() - 1)));
        std::nth_element(sorted.begin(), at, sorted.end());
        return static_cast<double>(*at);
    }
};

namespace detail {

/// Keeps what a layer shows before it has made z, and goes through its rows then.
template <class T>
class scale_observer : public attention_changer<T> {
public:
    scale_observer(std::vector<head_scale>& heads, index_t sink) : heads_(heads), sink_(sink) {}

protected:
    void values(index_t, view<T, 4> x) override { keep(v_, x); }
    void pattern(index_t, view<T const, 4> x) override {
        require(x.shape(1) == v_.shape(1), "sink_as_scale: expected as many heads of k and v as of q");
        keep(pattern_, x);
    }
    void gate(index_t, view<T const, 3> x) override { keep(gate_, x); }

    /// One query of one head: `weights` (T) over `values` (T, D); f of z = f o + g.
    struct row {
        head_scale& head;
        view<T const, 1> weights;
        view<T const, 2> values;
        double gate;
        T* z;   ///< (D)

        /// Its weights on keys other than `sink`, summed, and the values under them.
        double rest(index_t sink, std::vector<double>& sum) const {
            sum.assign(static_cast<std::size_t>(values.shape(1)), 0);
            double total = 0;
            for (index_t j = 0; j < weights.shape(0); ++j) {
                double const w = j == sink ? 0 : static_cast<double>(weights(j));
                if (w == 0) continue;
                total += w;
                for (index_t c = 0; c < values.shape(1); ++c) sum[static_cast<std::size_t>(c)] += w * static_cast<double>(values(j, c));
            }
            return total;
        }
    };
    /// `use(row)` for every query after the sink, sequence by sequence.
    template <class Use>
    void each_row(index_t layer, view<T, 3> z, Use use) {
        view<T const, 4> const p = *std::as_const(pattern_), v = *std::as_const(v_);
        for (auto& head : heads_) {
            if (head.layer != layer) continue;
            for (index_t b = 0; b < p.shape(0); ++b)
                for (index_t i = sink_ + 1; i < p.shape(2); ++i)
                    use(row{head, p[b][head.head][i], v[b][head.head], static_cast<double>(gate_(b, head.head, i)), &z(b, i, head.head * v.shape(3))});
        }
    }
    std::vector<head_scale>& heads_;
    index_t sink_;

private:
    template <std::size_t N, class X>
    static void keep(tensor<T, N>& to, X x) {
        to.resize(x.shape());
        std::copy(x.begin(), x.end(), to.data());
    }
    tensor<T, 4> v_, pattern_;
    tensor<T, 3> gate_;
};

/// Changes nothing; finds the heads by looking.
template <class T>
class scale_measuring final : public scale_observer<T> {
public:
    scale_measuring(std::vector<head_scale>& heads, sink_cache& cache) : scale_observer<T>(heads, cache.sink()), cache_(cache) {}

private:
    void keys(index_t layer, view<T, 4> x) override { cache_.add_keys(layer, x); }
    void values(index_t layer, view<T, 4> x) override {
        cache_.add_values(layer, x);
        scale_observer<T>::values(layer, x);
        bool const known = std::any_of(this->heads_.begin(), this->heads_.end(), [&](auto const& h) { return h.layer == layer; });
        for (index_t h = 0; !known && h < x.shape(1); ++h) this->heads_.push_back({layer, h, {}, {}, {}});
    }
    void heads(index_t layer, view<T, 3> z) override {
        std::vector<double> o;
        this->each_row(layer, z, [&](auto const& r) {
            double const a = static_cast<double>(r.weights(this->sink_));
            r.head.scale.push_back(static_cast<float>(1 - a));
            r.head.all.add(1 - a);
            r.rest(this->sink_, o);
            double size = 0;
            for (index_t c = 0; c < r.values.shape(1); ++c) {
                double const whole = o[static_cast<std::size_t>(c)] + a * static_cast<double>(r.values(this->sink_, c));
                size += whole * whole;
            }
            if (size > 0) r.head.sink_part.add(a * norm(r.values[this->sink_]) / std::sqrt(size));
        });
    }
    sink_cache& cache_;
};

/// (i) v_sink at zero.
template <class T>
class value_at_zero final : public attention_changer<T> {
public:
    value_at_zero(std::vector<head_scale> const& heads, index_t sink) : heads_(heads), sink_(sink) {}

private:
    void values(index_t layer, view<T, 4> v) override {
        for (auto const& head : heads_)
            for (index_t b = 0; head.sink && head.layer == layer && b < v.shape(0); ++b)
                for (T& x : v[b][head.head][sink_]) x = 0;
    }
    std::vector<head_scale> const& heads_;
    index_t sink_;
};

/// (ii) S_i at its mean, a_i v_sink as it is.
template <class T>
class scale_at_mean final : public scale_observer<T> {
public:
    using scale_observer<T>::scale_observer;

private:
    void heads(index_t layer, view<T, 3> z) override {
        std::vector<double> rest;
        this->each_row(layer, z, [&](auto const& r) {
            if (!r.head.sink) return;
            // Summed again, not o less the sink's part: where a is near 1 the difference is rounding.
            double const scale = r.rest(this->sink_, rest);
            if (scale == 0) return;   // there is no rest to scale
            double const by = r.gate * (r.head.mean() / scale - 1);
            for (std::size_t c = 0; c < rest.size(); ++c) r.z[c] += static_cast<T>(by * rest[c]);
        });
    }
};

/// (iii) key and value of the sink at their means over sequences.
template <class T>
class sink_constant final : public attention_changer<T> {
public:
    sink_constant(std::vector<head_scale> const& heads, sink_cache const& cache) : heads_(heads), cache_(cache) {}

private:
    void keys(index_t layer, view<T, 4> x) override { put(layer, x, cache_.keys(layer)); }
    void values(index_t layer, view<T, 4> x) override { put(layer, x, cache_.values(layer)); }
    void put(index_t layer, view<T, 4> x, mean_rows const& means) const {
        for (auto const& head : heads_)
            for (index_t b = 0; head.sink && head.layer == layer && b < x.shape(0); ++b)
                for (index_t c = 0; c < x.shape(3); ++c) x(b, head.head, cache_.sink(), c) = static_cast<T>(means(head.head, c));
    }
    std::vector<head_scale> const& heads_;
    sink_cache const& cache_;
};

/// One head's output at zero.
template <class T>
class head_at_zero final : public attention_changer<T> {
public:
    head_at_zero(index_t layer, index_t head, index_t heads) : layer_(layer), head_(head), count_(heads) {}

private:
    void heads(index_t layer, view<T, 3> z) override {
        index_t const D = z.shape(2) / count_;
        for (index_t b = 0; layer == layer_ && b < z.shape(0); ++b)
            for (index_t t = 0; t < z.shape(1); ++t) std::fill_n(&z(b, t, head_ * D), D, T(0));
    }
    index_t layer_, head_, count_;
};

}  // namespace detail
}  // namespace attnlab
