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

/// A row turned by its position, in the row's scratch memory, by angles that are there for all heads (token_rows.hpp).
template <class Group, int N, class Policy, class A, class Rotation>
struct evaluator<gpu::row_lanes<Group, N>, Policy, rotated<A, Rotation>> {
    using Lanes = gpu::row_lanes<Group, N>;
    evaluator<Lanes, Policy, A> a;
    explicit constexpr evaluator(rotated<A, Rotation> const& e) : a(e.a) {}
    constexpr void forward(row_point<float> const& r) {
        a.forward(r);
        each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) {
            store<Lanes, V>(value(r) + i, a.template at<V>(r, i));
            store<Lanes, V>(adjoint(r) + i, V(0.0f));
        });
        turn(r, value(r), 1.0f);
    }
    template <class V, bool = false>
    constexpr V at(row_point<float> const& r, index_t i) const {
        return load<Lanes, V>(value(r) + i);
    }
    template <class V>
    constexpr void back(row_point<float>& r, index_t i, V x) {
        add_to<Lanes>(adjoint(r) + i, x);
    }
    constexpr void finish(row_point<float>& r) {
        turn(r, adjoint(r), -1.0f);
        each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) { a.template back<V>(r, i, load<Lanes, V>(adjoint(r) + i)); });
        a.finish(r);
    }

private:
    static constexpr float* value(row_point<float> const& r) { return r.scratch + 2 * count_rotations<A>() * r.head_size; }   // after the rows of what is turned again
    static constexpr float* adjoint(row_point<float> const& r) { return value(r) + r.head_size; }
    static constexpr void turn(row_point<float> const& r, float* row, float way) {
        rotary_pairs const pairs = Rotation::pairs(r.head_size);
        index_t const half = pairs.rotated / 2;
        float const *const cosines = r.angles + rotations_of<Policy>::template position<Rotation> * r.head_size, *const sines = cosines + half;
        Lanes::sync();
        for (index_t first = 0; first < half; first += Group::size)
            Group::visit([&](int lane, int) {
                index_t const p = first + lane;
                if (p >= half) return;
                float const c = cosines[p], s = way * sines[p];
                float &x = row[pairs.interleaved ? 2 * p : p], &y = row[pairs.interleaved ? 2 * p + 1 : p + half];
                float const x0 = x;
                x = x0 * c - y * s;
                y = y * c + x0 * s;
            });
        Lanes::sync();
    }
};

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
