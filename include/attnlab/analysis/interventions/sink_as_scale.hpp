#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <attnlab/analysis/interventions/at_outliers.hpp>
#include <attnlab/analysis/scores.hpp>
#include <attnlab/core/buffer.hpp>
#include <attnlab/observe/alter.hpp>

/// \file
/// The central claim of 2502.06415: a sink is an implicit, context-aware scaling factor. With a_i = P[i, sink] a head computes
/// o_i = S_i o_rest + a_i v_sink, S_i = 1 - a_i, o_rest the mean of the other values. If the sink is there for the scale, then
/// (i) what it hands on does not matter, (ii) a scale that is the same for every query hurts, (iii) any constant key and value do
/// as well.

namespace attnlab {

using sink_heads = outlier_set<axis::layer, axis::head>;

/// One head, over the queries after the sink.
struct head_scale {
    index_t layer = 0, head = 0;
    moments scale;           ///< S_i: how much it differs from query to query is its standard deviation
    running_mean sink_part;  ///< |a_i v_sink| / |o_i|
};

struct sink_as_scale_result {
    std::vector<head_scale> heads;
    double loss = 0;             ///< as it is
    double without_value = 0;    ///< (i) v_sink at zero
    double with_mean_scale = 0;  ///< (ii) S_i at its mean over queries and sequences, head by head; a_i v_sink as it is
    double with_constant = 0;    ///< (iii) k and v of the sink at their means over sequences: an attention bias in its place
};

namespace detail {

/// What every part of the measurement needs of the heads that are looked at.
template <class T>
class sink_head_observer {
public:
    sink_head_observer(std::vector<head_scale>& heads, index_t sink) : heads_(heads), sink_(sink) {}

    void operator()(site::v, index_t, view<T const, 4> v) { v_.assign(v), n_ = v.shape(); }
    void operator()(site::pattern, index_t, view<T const, 4> p) { pattern_.assign(p); }

protected:
    /// `use(number of the head, z_i (D), i, P_i (T), v (T, D))` for each query after the sink of each sequence.
    template <class Z, class Use>
    void each_row(index_t layer, Z z, Use use) {
        view<T const, 4> const pattern = *std::as_const(pattern_), v = *std::as_const(v_);
        for (std::size_t n = 0; n < heads_.size(); ++n) {
            index_t const h = heads_[n].head;
            if (heads_[n].layer != layer) continue;
            for (index_t b = 0; b < n_[0]; ++b)
                for (index_t i = sink_ + 1; i < n_[2]; ++i) use(n, &z(b, i, h * n_[3]), i, pattern[b][h][i], v[b][h]);
        }
    }
    /// A copy of a tensor that the layer shows and lets go.
    struct kept : tensor<T, 4> {
        void assign(view<T const, 4> x) {
            this->resize(x.shape());
            std::copy(x.begin(), x.end(), this->data());
        }
    };
    std::vector<head_scale>& heads_;
    index_t sink_;
    std::array<index_t, 4> n_{};  // B, H, T, D
    kept v_, pattern_;
};

template <class T>
struct measured_scale : sink_head_observer<T> {
    using sites = site_list<site::v, site::pattern, site::z>;
    using sink_head_observer<T>::sink_head_observer, sink_head_observer<T>::operator();
    void operator()(site::z, index_t layer, view<T const, 3> z) {
        this->each_row(layer, z, [&](std::size_t n, T const* o, index_t, view<T const, 1> p, view<T const, 2> v) {
            double const a = static_cast<double>(p(this->sink_));
            this->heads_[n].scale.add(1 - a);
            if (double const size = norm(view<T const, 1>(o, {this->n_[3]})); size > 0)
                this->heads_[n].sink_part.add(a * norm(v[this->sink_]) / size);
        });
    }
};

template <class T>
struct constant_scale : sink_head_observer<T> {
    using sites = site_list<site::v, site::pattern>;
    using alters = site_list<site::z>;
    using sink_head_observer<T>::sink_head_observer, sink_head_observer<T>::operator();
    void operator()(site::z, index_t layer, view<T, 3> z) {
        this->each_row(layer, z, [&](std::size_t n, T* o, index_t i, view<T const, 1> p, view<T const, 2> v) {
            // Summed again, not o less the sink's part: where a is near 1 the difference is rounding.
            double weights = 0;
            for (index_t j = 0; j <= i; ++j) weights += j == this->sink_ ? 0 : static_cast<double>(p(j));
            if (weights == 0) return;   // there is no rest to scale
            for (index_t c = 0; c < this->n_[3]; ++c) {
                double rest = 0;
                for (index_t j = 0; j <= i; ++j) rest += j == this->sink_ ? 0 : static_cast<double>(p(j)) * static_cast<double>(v(j, c));
                double const from_sink = static_cast<double>(p(this->sink_)) * static_cast<double>(v(this->sink_, c));
                o[c] = static_cast<T>(this->heads_[n].scale.mean() * rest / weights + from_sink);
            }
        });
    }
};

}  // namespace detail

/// The claim on one batch, at one sink position, for the heads of which it is the sink: `sinks.restrict<axis::key>(0,
/// 1).project<axis::layer, axis::head>()`. Exact for causal weights that sum to 1, of a policy without prologue and output joint. The
/// key and value of position 0 are the same in all sequences that begin with one token, so that (iii) is harmless there by
/// construction: it says something of later sinks alone.
template <class Model>
sink_as_scale_result sink_as_scale(Model& model, view<std::int32_t const, 2> x, view<std::int32_t const, 2> y,
                                   sink_heads const& heads, index_t sink = 0) {
    using T = typename Model::scalar;
    static_assert(!Model::policy::has_prologue && !Model::policy::has_output,
                  "sink_as_scale: expected a policy without prologue and output joint: its z is the weighted values");
    require(model.config().kv_heads() == model.config().n_head, "sink_as_scale: expected as many heads of k and v as of q");
    require(0 <= sink && sink < x.shape(1), "sink_as_scale: sink ", sink, ": expected a position before ", x.shape(1));
    sink_as_scale_result out;
    for (auto const& e : heads) out.heads.push_back({e.at[0], e.at[1], {}, {}});

    detail::measured_scale<T> measured(out.heads, sink);
    out.loss = model.loss(x, y, measured);

    using sink_rows = outlier_set<axis::layer, axis::head, axis::key>;
    std::vector<sink_rows::element> rows;
    for (auto const& e : heads) rows.push_back({{e.at[0], e.at[1], sink}, 0});
    auto const& ranges = heads.ranges();
    sink_rows const at(std::move(rows), {ranges[0], ranges[1], axis_range{x.shape(1), 0, x.shape(1)}}, heads.about());
    auto silent = at_outliers<site::v>(at, change::to_zero{});
    out.without_value = model.loss(x, y, silent);

    detail::constant_scale<T> constant(out.heads, sink);
    out.with_mean_scale = model.loss(x, y, constant);

    // k and v at their means: the change is made of what stands there, so it needs no pass of its own.
    auto const mean = [&](auto, index_t layer, view<T, 4> rows_of_heads) {
        for (auto const& e : at) {
            if (e.at[0] != layer) continue;
            for (index_t c = 0; c < rows_of_heads.shape(3); ++c) {
                running_mean m;
                for (index_t b = 0; b < rows_of_heads.shape(0); ++b)
                    m.add(static_cast<double>(rows_of_heads(b, e.at[1], sink, c)));
                for (index_t b = 0; b < rows_of_heads.shape(0); ++b)
                    rows_of_heads(b, e.at[1], sink, c) = static_cast<T>(m.mean());
            }
        }
    };
    auto biased = alter<site::k, site::v>(mean);
    out.with_constant = model.loss(x, y, biased);
    return out;
}

}  // namespace attnlab
