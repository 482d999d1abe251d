#pragma once
#include <attnlab/attention/row_program.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>

/// \file
/// The programs of rows (attention/row_program.hpp) on the lanes of a warp, or of a part of one: N adjacent channels a lane at once. Numbers of a row are the
/// same in all lanes; what belongs to the whole row in memory is written by one of them.

namespace attnlab {

namespace gpu {
template <class Group, int N>
struct row_lanes {
    using scalar = float;
    using pack = wide<Group, N>;
    using group = Group;
    static constexpr index_t width = N * Group::size;
    static constexpr bool are_threads = true;  ///< what belongs to the whole row is written by one of them
    static constexpr bool recomputes = true;   ///< what is costly is computed again on the way back: registers are dear

    template <class T>
    static constexpr pack load(T const* p) {
        pack r;
        Group::visit([&](int lane, int i) {
            auto const a = *reinterpret_cast<detail::adjacent<T, N> const*>(p + N * lane);
            for (int k = 0; k < N; ++k) r.v[N * i + k] = static_cast<float>(a.v[k]);
        });
        return r;
    }
    static constexpr void store(float* p, pack const& x) {
        Group::visit([&](int lane, int i) {
            detail::adjacent<float, N> a;
            for (int k = 0; k < N; ++k) a.v[k] = x.v[N * i + k];
            *reinterpret_cast<detail::adjacent<float, N>*>(p + N * lane) = a;
        });
    }
    /// To global memory, rounded to T, in one access.
    template <class T>
    static constexpr void write(T* p, pack const& x) {
        gpu::store<Group, N>(p, x, width);
    }
    static constexpr float sum(pack const& x) { return gpu::sum<Group, N>(x); }
    static constexpr pack counting() {
        pack r;
        Group::visit([&](int lane, int i) {
            for (int k = 0; k < N; ++k) r.v[N * i + k] = static_cast<float>(N * lane + k);
        });
        return r;
    }
    static constexpr pack from(index_t first, pack const& x) {
        return select(each(counting(), [&](float at) { return at >= static_cast<float>(first); }), x, pack(0.0f));
    }
    template <class F>
    static constexpr void once(F f) {
        Group::once(f);
    }
    static constexpr void sync() {   // on the host lanes are in step anyway
        if constexpr (Group::held == 1) Group::sync();
    }
};
}  // namespace gpu

namespace expr {

/// A product of x that is there for all tokens and heads (input_products.hpp).
template <class Lanes, class Policy, class A, class B>
    requires(requires { typename Lanes::group; } && Policy::has_input_products && is_input_product<inner<A, B>>::value)
struct evaluator<Lanes, Policy, inner<A, B>> {
    using map = std::conditional_t<requires { typename A::learned_tag; }, A, B>;
    static constexpr std::size_t position = Policy::position_of(map::name);
    explicit constexpr evaluator(inner<A, B> const&) {}
    constexpr float forward(row_point<float> const& r) const { return *r.projections[position]; }
    constexpr void backward(row_point<float>& r, float adjoint) const { add_number<Lanes>(r.d_projections[position], adjoint); }
};

}  // namespace expr
}  // namespace attnlab
