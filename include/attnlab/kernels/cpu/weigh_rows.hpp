#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include <attnlab/kernels/cpu/lane_square.hpp>
#include <attnlab/kernels/cpu/weigh.hpp>

/// \file
/// The weighting on a block of rows, tile after tile: the rows' maxima and sums, a register of rows at a time.

namespace attnlab::detail {

/// A number for each row of a block.
struct alignas(line_bytes) of_rows : std::array<float, tile_rows> {
    float& operator[](index_t r) { return std::array<float, tile_rows>::operator[](static_cast<std::size_t>(r)); }
    float const& operator[](index_t r) const { return std::array<float, tile_rows>::operator[](static_cast<std::size_t>(r)); }
};

template <class Policy>
class row_weigher {
    using one = weigher<Policy>;

public:
    explicit row_weigher(attention_problem<float> const& p)
        : p_(p),
          per_row_(Policy::weight_reads_lengths &&
                   (p.rule == length_rule::visible || expr::mentions<expr::visible_tag, decltype(Policy::weight)>)),
          one_(p.lengths(p.T)) {}

    of_rows m, z;      ///< the running maximum, and the sum relative to it (or, later, the threshold)
    of_rows rescale;   ///< by which what was summed before the last tile must be multiplied
    of_rows lift;      ///< e^-m
    of_rows product;   ///< sum_j f_ij (s_ij - m_i), kept by `forward_watched` of exponential weights

    /// Before rows i0, i0 + 1, ... of sequence b.
    void start(index_t b, index_t i0, index_t rows) {
        rows_ = rows;
        m.fill(one::first_reference);
        z.fill(0);
        lift.fill(1);
        rescale.fill(1);
        product.fill(0);
        if (!per_row_) return;
        // A formula that reads the row's lengths is settled anew for each row.
        each_.clear();
        for (index_t r = 0; r < rows; ++r)
            each_.emplace_back(p_.lengths(p_.template visible<Policy>(b, i0 + r).count()));
    }
    one const& of_row(index_t r) const { return per_row_ ? each_[static_cast<std::size_t>(r)] : one_; }

    /// One pass: the scores of a tile become f(s); z gathers the summands and m follows the maximum.
    void forward(float* scores, tile_keys const& tile) {
        sum(scores, tile, [&](index_t r, float* row) {
            return of_row(r).forward(row, tile.seen_by(r), tile.padded(), m[r], lift[r], [](auto, lanes, lanes) {});
        });
    }
    /// The same, and `product`, from which the entropy of an exponential weight comes without a logarithm.
    void forward_watched(float* scores, tile_keys const& tile) {
        if constexpr (one::exponential)
            sum(scores, tile, [&](index_t r, float* row) {
                lanes all(0.0f);
                lanes const reference(m[r]);
                auto const gather = [&](auto in, lanes s, lanes f) { all = fma(f, seen_or(in, s - reference, 0.0f), all); };
                lanes const z_here = of_row(r).forward(row, tile.seen_by(r), tile.padded(), m[r], lift[r], gather);
                product[r] += hsum(all);
                return z_here;
            });
        else
            forward(scores, tile);
    }
    /// Two passes, the first: the same, but the scores stay.
    void gather(float* scores, tile_keys const& tile) {
        sum(scores, tile, [&](index_t r, float* row) { return of_row(r).gather(row, tile.seen_by(r), tile.padded(), m[r], lift[r]); });
    }

private:
    /// `summands(r, row)`: those of row r, lane by lane. First the maxima of all rows, then the sums: each row waits for its
    /// maximum, and meanwhile the others keep the units busy.
    template <class Summands>
    void sum(float* scores, tile_keys const& tile, Summands summands) {
        if constexpr (one::has_reference)
            fold(
                scores, one::first_reference, [&](index_t r, float* row) { return of_row(r).largest(row, tile.seen_by(r), tile.padded()); },
                [](lanes a, lanes b) { return max(a, b); }, [&](index_t r, lanes top) { raise(r, top); });
        fold(
            scores, 0, summands, [](lanes a, lanes b) { return a + b; },
            [&](index_t r, lanes total) { store_aligned(&z[r], load_aligned(&z[r]) + total); });
    }
    /// `to(r, x)`: x holds what `of(row)` gave for rows r, r + 1, ..., each folded to one number by `op`.
    template <class Of, class Op, class To>
    void fold(float* scores, float filler, Of of, Op op, To to) {
        for (index_t r = 0; r < rows_; r += register_width) {
            index_t const here = std::min(register_width, rows_ - r);
            lane_square x;
            if (here < register_width) x.fill(lanes(filler));
            for (index_t i = 0; i < here; ++i) x[static_cast<std::size_t>(i)] = of(r + i, scores + (r + i) * tile_columns);
            to(r, fold_each(x, op));
        }
    }
    /// m becomes the larger of itself and `top` in a register of rows.
    void raise(index_t r, lanes top) {
        lanes const old = load_aligned(&m[r]), now = max(top, old);
        lanes const drop = select(now.data > old.data, attnlab::exp(old - now), lanes(1.0f));
        store_aligned(&m[r], now);
        if constexpr (one::exponential) {
            // Of f (s - m) both factors move. Before the first key the reference is -infinity, and nothing is there to move.
            lanes const by = select((now.data > old.data) & (drop.data > 0.0f), old - now, lanes(0.0f));
            store_aligned(&product[r], fma(by, load_aligned(&z[r]), load_aligned(&product[r])) * drop);
        }
        store_aligned(&z[r], load_aligned(&z[r]) * drop);
        store_aligned(&rescale[r], power<one::degree>(drop));
        if constexpr (one::mixes) store_aligned(&lift[r], attnlab::exp(lanes(0.0f) - now));
    }

    attention_problem<float> const& p_;
    bool per_row_;
    one one_;
    std::vector<one> each_;
    index_t rows_ = 0;
};

}  // namespace attnlab::detail
