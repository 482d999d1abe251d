#pragma once
#include <attnlab/kernels/cuda/score_parts.hpp>

/// \file
/// A score joint where the scores are: in the fragments of a warp's tile.

namespace attnlab::gpu {

/// The joint of a policy, or of one without, whose scores stay as they are. Raw scores are products that q has scaled already.
template <class G>
class score_joint {
    using policy = typename G::policy;
    using number = typename G::number;
    using warp = typename G::warp;
    using flag = typename warp::flag;

public:
    constexpr score_joint() : root_(formula()) {}

    /// Before the tiles of head h of sequence b; the warp's rows begin at `first`. `tokens`: (B, H, T).
    constexpr void begin(tile_problem<policy> const& p, float const* tokens, index_t b, index_t h, index_t first) {
        if constexpr (policy::has_score) {
            x_.p = &p, x_.b = b;
            if constexpr (policy::has_tokens) x_.tokens = tokens + (b * p.H + h) * p.T;
            x_.row = warp::each_lane([&](int lane) { return static_cast<int>(first) + row_of(lane, 0); });
            x_.column = typename G::whole(0);
            x_.measure();
            with_row(h, [&](row_point<float>& row) { root_.begin(row, x_); });
        }
    }
    /// On the way back, where gradients are to be added: those of what the joint learns where rows are queries, of the rows' token numbers.
    constexpr void gradients_go_to(std::array<float*, policy::parameter_count + 1> const& parameters, float* tokens) { x_.d_parameters = parameters, x_.d_tokens = tokens; }

    /// Before a tile whose columns begin at `first`.
    constexpr void enter(index_t first) {
        if constexpr (policy::has_score) {
            x_.column = warp::each_lane([&](int lane) { return static_cast<int>(first) + column_of(lane, 0); });
            x_.measure();
            root_.prepare(x_);
        }
    }
    /// Element i of fragment n, of that tile: what becomes of a raw score.
    constexpr number made(int n, int i, number const& raw) {
        x_.n = n, x_.i = i, x_.raw = raw;
        return root_.at(x_);
    }
    /// The gradient by the raw score that `made` was given last, from that by the made one.
    constexpr number back(flag const& seen, number const& adjoint) {
        x_.seen = seen, x_.d_raw = number(0.0f);
        root_.back(x_, adjoint);
        return x_.d_raw;
    }
    /// All of a tile.
    template <class Fragments>
    constexpr void apply(Fragments& scores, index_t first) {
        enter(first);
        each_score(scores, [&](int n, int i, number& e) { e = made(n, i, e); });
    }
    /// After the tiles on the way back: gradients that were gathered go where they belong.
    constexpr void end(index_t h) {
        if constexpr (policy::has_score)
            with_row(h, [&](row_point<float>& row) {
                row.gradients = x_.d_parameters.data();
                root_.end(row, x_);
            });
    }

private:
    static constexpr auto formula() {
        constexpr auto f = policy::score;   // a copy: device code has no address of a static member
        return f;
    }
    template <class Body>
    constexpr void with_row(index_t h, Body body) const {
        auto const values = attnlab::detail::of_head<policy>(x_.p->parameters, x_.p->sizes(), h);
        auto row = x_.p->template row<policy>(x_.b, h, 0, values.data());
        body(row);
    }

    part_of<G, std::remove_const_t<decltype(formula())>, true> root_;
    score_element<G> x_;
};

}  // namespace attnlab::gpu
