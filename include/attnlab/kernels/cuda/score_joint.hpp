#pragma once
#include <type_traits>

#include <attnlab/kernels/cuda/score_parts.hpp>
#include <attnlab/kernels/cuda/score_table.hpp>

/// \file
/// A score joint where the scores are: in the fragments of a warp's tile, without shared memory or a barrier.

namespace attnlab::gpu {

/// The joint of a policy, or of one without, whose scores stay as they are. Raw scores are products of a q that carries the scale.
template <class G>
class score_joint {
    using policy = typename G::policy;
    using number = typename G::number;
    using warp = typename G::warp;

public:
    constexpr score_joint() : root_(formula()) {}

    /// Before the tiles of head h of sequence b; the warp's rows begin at `first`. `tokens`: (B, H, T).
    constexpr void begin(tile_problem<policy> const& p, float const* tokens, index_t b, index_t h, index_t first) {
        if constexpr (policy::has_score) {
            p_ = &p, b_ = b, h_ = h, first_ = static_cast<int>(first);
            if constexpr (policy::has_tokens) tokens_ = tokens + (b * p.H + h) * p.T;
            with_row([&](row_point<float>& row) { root_.begin(row, element(0)); });
        }
    }
    /// Then, on the way back: where gradients are added, of what the head learns (where rows are queries) and of the tokens' numbers (B, H, T).
    constexpr void gradients_go_to(typename G::gradients const& parameters, [[maybe_unused]] float* tokens) {
        parameters_ = parameters;
        if constexpr (policy::has_tokens) d_tokens_ = tokens + (b_ * p_->H + h_) * p_->T;
    }

    /// Before a tile whose columns begin at `first`; returns what the functions below ask for.
    constexpr score_element<G> enter(index_t first) {
        if constexpr (policy::has_score) {
            auto const x = element(static_cast<int>(first));
            root_.enter(x);
            return x;
        } else {
            return {};
        }
    }
    /// Element i of fragment n: what becomes of a raw score.
    constexpr number made(score_element<G>& x, int n, int i, number const& raw) const {
        x.n = n, x.i = i, x.raw = raw;
        return root_.at(x);
    }
    /// The gradient by the raw score that `made` was given last, from that by the made one.
    constexpr number back(score_element<G>& x, typename warp::flag const& seen, number const& adjoint) {
        x.seen = seen, x.d_raw = number(-0.0f);   // -0 + x is x, which a compiler may know
        root_.back(x, adjoint, 1);
        if constexpr (policy::has_score) return select(seen, x.d_raw, number(0.0f));   // what is not seen may be no number
        else return x.d_raw;
    }
    /// After a tile on the way back.
    constexpr void leave(score_element<G>& x) { root_.leave(x); }
    /// After the last one: gradients that were gathered go where they belong.
    constexpr void end() {
        if constexpr (policy::has_score)
            with_row([&](row_point<float>& row) {
                auto x = element(0);
                row.gradients = parameters_.data();
                root_.end(row, x);
            });
    }

    /// All of a tile that was entered, on the way forward.
    template <class Fragments>
    constexpr void apply(score_element<G>& x, Fragments& scores) {
        each_score(scores, [&](int n, int i, number& e) { e = made(x, n, i, e); });
    }

private:
    static constexpr auto formula() {
        constexpr auto f = policy::score;   // a copy: device code has no address of a static member
        return f;
    }
    constexpr score_element<G> element(int first_column) const {
        score_element<G> x;
        x.p = p_, x.b = b_, x.tokens = tokens_, x.parameters = parameters_, x.d_tokens = d_tokens_;
        x.row = warp::each_lane([&](int lane) { return first_ + row_of(lane, 0); });
        x.column = warp::each_lane([&](int lane) { return first_column + column_of(lane, 0); });
        x.apart = each(x.query() - x.key(), [](int d) { return static_cast<float>(d); });
        return x;
    }
    template <class Body>
    constexpr void with_row(Body body) const {
        auto const values = attnlab::detail::of_head<policy>(p_->parameters, p_->sizes(), h_);
        auto row = p_->template row<policy>(b_, h_, 0, values.data());
        body(row);
    }

    part_of<G, std::remove_const_t<decltype(formula())>, true> root_;
    tile_problem<policy> const* p_ = nullptr;
    index_t b_ = 0, h_ = 0;
    int first_ = 0;
    float const* tokens_ = nullptr;
    typename G::gradients parameters_{};
    float* d_tokens_ = nullptr;
};

}  // namespace attnlab::gpu
