#pragma once
#include <array>
#include <cmath>

#include <attnlab/attention/problem.hpp>
#include <attnlab/attention/rotate.hpp>
#include <attnlab/kernels/cuda/rows.hpp>
#include <attnlab/kernels/cuda/token_lanes.hpp>

/// \file
/// Rows turned by their positions (attention/rotate.hpp) token by token: the angles, once for all heads, and what is turned, in registers where a lane has both channels of a pair.

namespace attnlab {

namespace gpu {

/// Cosines and sines of the angles of a position, a warp a position; in double.
template <class Rotation>
struct angle_rows {
    float* to;
    index_t D, stride;
    template <class Warp>
    constexpr void operator()(Warp const&, index_t position) const {
        rotary_pairs const pairs = Rotation::pairs(D);
        index_t const half = pairs.rotated / 2;
        for (index_t first = 0; first < half; first += warp_size)
            Warp::visit([&](int lane, int) {
                index_t const i = first + lane;
                if (i >= half) return;
                double const angle = static_cast<double>(position) * Rotation::frequency(i, pairs);
                float* const row = to + position * stride;
                row[i] = static_cast<float>(std::cos(angle)), row[i + half] = static_cast<float>(std::sin(angle));
            });
    }
};
/// An address for each type.
template <class T>
inline constexpr char address_of{};
/// The angles of a policy's rotations, of q and of k, forward and back; those that are there from a call before, of no fewer positions, stay.
template <class Policy, class Device>
void make_angles(Device device, attention_problem<float> const& p, attention_saved<float>& saved) {
    using rotations = expr::rotations_of<Policy>;
    if constexpr (rotations::count > 0) {
        index_t const width = rotations::count * p.D;
        void const* const these = &address_of<rotations>;
        if (saved.angles_of == these && saved.angles.shape(0) >= p.T && saved.angles.shape(1) == width) return;
        saved.angles.resize({p.T, width});
        saved.angles_of = these;
        rotations::each([&]<class Rotation>(Rotation, index_t i) { launch_rows(device, p.T, angle_rows<Rotation>{saved.angles.data() + i * p.D, p.D, width}); });
    }
}

/// Whether both channels of each pair are one lane's, which has `adjacent` ones of each chunk of `width`.
template <class Rotation>
constexpr bool turns_in_lanes(index_t D, int adjacent, index_t width) {
    rotary_pairs const pairs = Rotation::pairs(D);
    return pairs.interleaved ? adjacent % 2 == 0 && pairs.rotated % width == 0 : pairs.rotated / 2 % width == 0;
}
/// How many rows of scratch memory a formula's rotations take.
template <class Formula>
constexpr index_t rows_to_turn_in(index_t D, int adjacent, index_t width) {
    bool in_lanes = true;
    decltype(expr::and_rotations<Formula>(expr::rotation_list<>{}))::each([&]<class Rotation>(Rotation, index_t) { in_lanes = in_lanes && turns_in_lanes<Rotation>(D, adjacent, width); });
    return in_lanes ? 0 : 2 * expr::count_rotations<Formula>();
}

}  // namespace gpu

namespace expr {

/// (x, y) of a pair becomes (c x - s y, c y + s x).
template <class Group, int N, int Size, class Policy, class A, class Rotation>
struct evaluator<gpu::token_lanes<Group, N, Size>, Policy, rotated<A, Rotation>> {
    using Lanes = gpu::token_lanes<Group, N, Size>;
    evaluator<Lanes, Policy, A> a;
    explicit constexpr evaluator(rotated<A, Rotation> const& e) : a(e.a) {}
    constexpr void forward(row_point<float> const& r) {
        a.forward(r);
        if (in_lanes(r)) return;
        each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) {
            store<Lanes, V>(value(r) + i, a.template at<V>(r, i));
            store<Lanes, V>(adjoint(r) + i, V(0.0f));
        });
        turn(r, value(r), 1.0f);
    }
    template <class V, bool Again = false>
    constexpr V at(row_point<float> const& r, index_t i) {
        if (!in_lanes(r)) return load<Lanes, V>(value(r) + i);
        auto const of = [&](index_t c) { return a.template at<V, Again>(r, c); };
        auto const at = place(r, i);
        if (at.pair < 0) return of(i);
        if constexpr (!std::is_same_v<V, float>)
            if (at.interleaved) return turned_neighbours(r, i, of(i), 1.0f);
        V const c = load<Lanes, V>(angles(r) + at.pair), s = load<Lanes, V>(angles(r) + at.half + at.pair);
        return at.first ? c * of(i) - s * of(i + at.half) : c * of(i) + s * of(i - at.half);
    }
    template <class V>
    constexpr void back(row_point<float>& r, index_t i, V x) {
        if (!in_lanes(r)) return add_to<Lanes>(adjoint(r) + i, x);
        auto const at = place(r, i);
        if (at.pair < 0) return a.template back<V>(r, i, x);
        if constexpr (!std::is_same_v<V, float>)
            if (at.interleaved) return a.template back<V>(r, i, turned_neighbours(r, i, x, -1.0f));
        V const c = load<Lanes, V>(angles(r) + at.pair), s = load<Lanes, V>(angles(r) + at.half + at.pair);
        a.template back<V>(r, i, c * x);
        if (at.first) a.template back<V>(r, i + at.half, -(s * x));
        else a.template back<V>(r, i - at.half, s * x);
    }
    constexpr void finish(row_point<float>& r) {
        if (!in_lanes(r)) {
            turn(r, adjoint(r), -1.0f);
            each_chunk<Lanes>(r.head_size, [&]<class V>(index_t i, V) { a.template back<V>(r, i, load<Lanes, V>(adjoint(r) + i)); });
        }
        a.finish(r);
    }

private:
    /// D: known when the kernel is compiled, where it can be, as an index into registers must be.
    static constexpr index_t size_of([[maybe_unused]] row_point<float> const& r) {
        if constexpr (gpu::writes_chunks_out<Lanes>) return Lanes::row_size;
        else return r.head_size;
    }
    static constexpr rotary_pairs pairs_of(row_point<float> const& r) { return Rotation::pairs(size_of(r)); }
    static constexpr bool in_lanes(row_point<float> const& r) { return gpu::turns_in_lanes<Rotation>(size_of(r), N, Lanes::width); }
    static constexpr float const* angles(row_point<float> const& r) { return r.angles + rotations_of<Policy>::template position<Rotation> * r.head_size; }
    /// Where the chunk that begins at channel i stands: the pair that begins there, or -1; how far apart the channels of a pair are; which of them these are.
    struct chunk_place {
        index_t pair, half;
        bool first, interleaved;
    };
    static constexpr chunk_place place(row_point<float> const& r, index_t i) {
        rotary_pairs const pairs = pairs_of(r);
        index_t const half = pairs.rotated / 2;
        if (i >= pairs.rotated) return {-1, half, false, false};
        return {pairs.interleaved ? i / 2 : i % half, half, i < half, pairs.interleaved};
    }
    /// Pairs (2 p, 2 p + 1), of a chunk that begins at channel i.
    template <class V>
    static constexpr V turned_neighbours(row_point<float> const& r, index_t i, V x, float way) {
        index_t const half = pairs_of(r).rotated / 2;
        float const* const cosines = angles(r) + i / 2;
        Group::visit([&](int lane, int l) {
            for (int k = 0; k + 1 < N; k += 2) {
                index_t const pair = (N * lane + k) / 2;
                float const c = cosines[pair], s = way * cosines[half + pair];
                float &one = x.v[N * l + k], &other = x.v[N * l + k + 1], before = one;
                one = c * before - s * other;
                other = c * other + s * before;
            }
        });
        return x;
    }

    // Else in the row's scratch memory.
    static constexpr float* value(row_point<float> const& r) { return r.scratch + 2 * count_rotations<A>() * r.head_size; }   // after the rows of what is turned again
    static constexpr float* adjoint(row_point<float> const& r) { return value(r) + r.head_size; }
    static constexpr void turn(row_point<float> const& r, float* row, float way) {
        rotary_pairs const pairs = pairs_of(r);
        index_t const half = pairs.rotated / 2;
        float const *const cosines = angles(r), *const sines = cosines + half;
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

}  // namespace expr
}  // namespace attnlab
