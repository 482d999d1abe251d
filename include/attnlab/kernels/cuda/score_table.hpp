#pragma once
#include <array>

#include <attnlab/kernels/cuda/score_leaves.hpp>

/// \file
/// A learned number for each distance (T5): of a tile's pairs many are equally far apart, on a diagonal. Its 16 + columns - 1 distances are looked up once, a lane one
/// of 32, and gradients are summed along diagonals in registers before they go to the table.

namespace attnlab::gpu {

template <class E>
struct is_score_table : std::false_type {};
template <class Table, class Bucket>
struct is_score_table<expr::looked_up<Table, Bucket>> : std::true_type {};
/// Whether a policy's score joint keeps a few numbers a lane, so that kernels have room for as many blocks as without one: not of a table, whose diagonals are more.
template <class Policy>
inline constexpr bool score_is_small = !expr::any_part<is_score_table, std::remove_const_t<decltype(Policy::score)>>();

/// Diagonals are numbered by distance from the tile's least one. With lane = 4 g + q and u = 2 q + i % 2, an element lies on diagonal
/// 8 band + 7 + g - u, where rows are queries, or 8 band + 7 + u - g.
template <class G, class Table, class Bucket, bool Kept>
struct score_part<G, expr::looked_up<Table, Bucket>, Kept> : score_leaf<G> {
    using warp = typename G::warp;
    using number = typename G::number;
    using whole = typename G::whole;
    static constexpr std::size_t position = G::policy::position_of(Table::name);
    static constexpr int bands = G::columns / 8 + 1, held = (G::columns + 16) / warp_size + 1;

    explicit constexpr score_part(expr::looked_up<Table, Bucket>) {}
    constexpr void begin(row_point<float> const& row, score_element<G> const&) { table_ = row.values[position]; }
    constexpr void enter(score_element<G> const& x) {
        unrolled<held>([&](int h) {
            auto const at = static_cast<std::size_t>(h);
            bucket_[at] = warp::each_lane([&](int lane) { return warp_size * h + lane; }) + least(x);
            bucket_[at] = each(bucket_[at], [](int distance) { return static_cast<int>(expr::looked_up<Table, Bucket>::bucket(distance)); });
            entry_[at] = each(bucket_[at], [&](int i) { return table_[i]; });
        });
        if constexpr (!G::turned)
            for (auto& band : gathered_) band = {number(0.0f), number(0.0f)};
    }
    constexpr number at(score_element<G> const& x) const {
        int const first = 8 * band_of(x), h = first / warp_size;
        auto const diagonal = warp::each_lane([&](int lane) {
            int const across = lane / 4 - column_of(lane, x.i);
            return first % warp_size + 7 + (G::turned ? -across : across);
        });
        auto const near = warp::from_lanes(entry_[static_cast<std::size_t>(h)], each(diagonal, [](int d) { return d % warp_size; }));
        if (first % warp_size + 14 < warp_size) return near;
        auto const far = warp::from_lanes(entry_[static_cast<std::size_t>(h + 1)], each(diagonal, [](int d) { return d % warp_size; }));
        return select(diagonal < whole(warp_size), near, far);
    }
    constexpr void back([[maybe_unused]] score_element<G>& x, [[maybe_unused]] number const& adjoint, [[maybe_unused]] double by) {
        if constexpr (!G::turned) gathered_[static_cast<std::size_t>(band_of(x))][static_cast<std::size_t>(x.i % 2)] += seen_adjoint(x, adjoint, by);
    }
    /// Of diagonals 8 k to 8 k + 7, lane 4 r gets the sum of number 8 k + r: those of band k with g <= u, and of the band before with g > u, turned to it.
    constexpr void leave([[maybe_unused]] score_element<G>& x) {
        if constexpr (!G::turned) {
            float* const to = x.parameters[position];
            int const one = warp::of_lane(bucket_[0], 0);
            bool const far = warp::all(each(bucket_[0], bucket_[held - 1], [&](int a, int b) { return a == one && b == one; }));
            number total(0.0f);
            unrolled<bands + 1>([&](int k) {
                number sum(0.0f);
                unrolled<2>([&](int parity) {
                    auto const of = [&](int band) { return 0 <= band && band < bands ? gathered_[static_cast<std::size_t>(band)][static_cast<std::size_t>(parity)] : number(0.0f); };
                    auto const below = warp::each_lane([&](int lane) { return lane / 4 <= column_of(lane, parity); });
                    auto const from = warp::each_lane([&](int lane) { return (lane / 4 + 1 + column_of(lane, parity)) % 8 * 4 + lane % 4; });
                    sum += warp::from_lanes(select(below, of(k), of(k - 1)), from);
                });
                total += sum;
                if (!far) {
                    sum = over_row<warp>(sum, [](float a, float b) { return a + b; });
                    for (int r = 0; r < 8; ++r) {   // one after another: several may have one bucket
                        int const i = warp::of_lane(bucket_[static_cast<std::size_t>(k / 4)], 8 * (k % 4) + r);
                        float const d = warp::of_lane(sum, 4 * r);
                        warp::once([&] { to[i] += d; });
                    }
                }
            });
            if (far) {
                float const d = gpu::sum<warp>(total);
                warp::once([&] { to[one] += d; });
            }
        }
    }

private:
    static constexpr int band_of(score_element<G> const& x) { return G::turned ? x.n - x.i / 2 + 1 : x.i / 2 - x.n + G::columns / 8 - 1; }
    /// The tile's least distance.
    static constexpr whole least(score_element<G> const& x) {
        auto const first = x.query() - x.key(), lane = warp::each_lane([](int l) { return G::turned ? column_of(l, 0) - row_of(l, 0) : row_of(l, 0) - column_of(l, 0); });
        return first - lane - whole(G::turned ? 15 : G::columns - 1);
    }

    float const* table_;
    std::array<whole, held> bucket_;
    std::array<number, held> entry_;
    std::array<std::array<number, 2>, G::turned ? 1 : bands> gathered_;
};

}  // namespace attnlab::gpu
