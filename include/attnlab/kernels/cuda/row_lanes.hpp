#pragma once
#include <algorithm>
#include <cstdint>

#include <attnlab/attention/row_program.hpp>
#include <attnlab/kernels/cuda/rows.hpp>

/// \file
/// The programs of rows (attention/row_program.hpp) on warps: 32 channels at once. Numbers of a row are the same in all lanes;
/// what belongs to the whole row in memory is written by one of them.

namespace attnlab {

namespace gpu {
template <class Warp>
struct row_lanes {
    using scalar = float;
    using pack = typename Warp::number;
    using warp = Warp;
    static constexpr index_t width = warp_size;
    static constexpr bool are_threads = true;  ///< what belongs to the whole row is written by one of them
    static constexpr bool recomputes = true;   ///< what is costly is computed again on the way back: registers are dear

    static constexpr pack load(float const* p) { return gpu::load<Warp>(p); }
    static constexpr void store(float* p, pack const& x) { gpu::store<Warp>(p, x); }
    static constexpr float sum(pack const& x) { return gpu::sum<Warp>(x); }
    static constexpr pack counting() {
        return Warp::each_lane([](int lane) { return static_cast<float>(lane); });
    }
    static constexpr pack from(index_t first, pack const& x) {
        auto const kept = Warp::each_lane([&](int lane) { return lane >= first; });
        return select(kept, x, pack(0.0f));
    }
    template <class F>
    static constexpr void once(F f) {
        Warp::once(f);
    }
    static constexpr void sync() {   // on the host a warp's lanes are in step anyway
        if constexpr (Warp::held == 1) Warp::sync();
    }
};
}  // namespace gpu

namespace expr {

/// A number that tells a type from others, for memory that several may use.
template <class T>
consteval float number_of_type() {
    std::uint32_t h = 2166136261;   // FNV-1a
    for (char const* c = __PRETTY_FUNCTION__; *c; ++c) h = (h ^ static_cast<unsigned char>(*c)) * 16777619;
    return static_cast<float>(h % 16777213 + 1);
}

/// A row turned by its position, in the row's scratch memory. Angles are computed in double, once for all heads of a token: they stay behind the
/// rows, with the rotation and the position that they are of.
template <class Warp, class Policy, class A, class Rotation>
struct evaluator<gpu::row_lanes<Warp>, Policy, rotated<A, Rotation>> {
    using Lanes = gpu::row_lanes<Warp>;
    evaluator<Lanes, Policy, A> a;
    explicit constexpr evaluator(rotated<A, Rotation> const& e) : a(e.a) {}
    constexpr void forward(row_point<float> const& r) {
        a.forward(r);
        each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) {
            store<Lanes, V>(r.scratch + i, a.template at<V>(r, i));
            store<Lanes, V>(r.scratch + r.head_size + i, V(0.0f));
        });
        turn(r, r.scratch, 1.0f);
    }
    template <class V, bool = false>
    constexpr V at(row_point<float> const& r, index_t i) const {
        return load<Lanes, V>(r.scratch + i);
    }
    template <class V>
    constexpr void back(row_point<float>& r, index_t i, V adjoint) {
        add_to<Lanes>(r.scratch + r.head_size + i, adjoint);
    }
    constexpr void finish(row_point<float>& r) {
        turn(r, r.scratch + r.head_size, -1.0f);
        each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) { a.template back<V>(r, i, load<Lanes, V>(r.scratch + r.head_size + i)); });
        a.finish(r);
    }

private:
    static constexpr void turn(row_point<float> const& r, float* row, float way) {
        constexpr float rotation = number_of_type<Rotation>();
        rotary_pairs const pairs = Rotation::pairs(r.head_size);
        index_t const half = pairs.rotated / 2;
        float *const cosines = r.scratch + 2 * r.head_size, *const sines = cosines + half, *const they_are_of = r.scratch + 3 * r.head_size;
        auto const position = static_cast<float>(r.position);
        auto const each_pair = [&](auto body) {
            for (index_t first = 0; first < half; first += gpu::warp_size)
                Warp::visit([&](int lane, int) {
                    if (index_t const p = first + lane; p < half) body(p);
                });
            Lanes::sync();
        };
        Lanes::sync();
        bool const known = they_are_of[0] == rotation && they_are_of[1] == position;
        Lanes::sync();
        if (!known) {
            Lanes::once([&] { they_are_of[0] = rotation, they_are_of[1] = position; });
            each_pair([&](index_t p) {
                double const angle = static_cast<double>(r.position) * Rotation::frequency(p, pairs);
                cosines[p] = static_cast<float>(std::cos(angle)), sines[p] = static_cast<float>(std::sin(angle));
            });
        }
        each_pair([&](index_t p) {
            float const c = cosines[p], s = way * sines[p];
            float &x = row[pairs.interleaved ? 2 * p : p], &y = row[pairs.interleaved ? 2 * p + 1 : p + half];
            float const x0 = x;
            x = x0 * c - y * s;
            y = y * c + x0 * s;
        });
    }
};

/// A product of x that is there for all tokens and heads (input_products.hpp).
template <class Warp, class Policy, class A, class B>
    requires(Policy::has_input_products && is_input_product<inner<A, B>>::value)
struct evaluator<gpu::row_lanes<Warp>, Policy, inner<A, B>> {
    using map = std::conditional_t<requires { typename A::learned_tag; }, A, B>;
    static constexpr std::size_t position = Policy::position_of(map::name);
    explicit constexpr evaluator(inner<A, B> const&) {}
    constexpr float forward(row_point<float> const& r) const { return *r.projections[position]; }
    constexpr void backward(row_point<float>& r, float adjoint) const { add_number<gpu::row_lanes<Warp>>(r.d_projections[position], adjoint); }
};

}  // namespace expr
}  // namespace attnlab
