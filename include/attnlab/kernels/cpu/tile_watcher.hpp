#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <attnlab/kernels/attention_statistics.hpp>
#include <attnlab/kernels/cpu/scratch.hpp>
#include <attnlab/kernels/cpu/weigh_rows.hpp>

/// \file
/// Attention statistics as by-products of the forward tiles: the tiles of a block of rows are kept until the rows' sums are known,
/// then one product of a row with each tile gives the column sums. Never a T x T array.

namespace attnlab::detail {

/// Nobody looks: forward is compiled without a trace of the watcher.
struct unwatched {
    static constexpr bool watches = false;
};

/// Fills the statistics of the blocks of rows that one task walks.
template <class Policy>
class tile_watcher {
    using one = weigher<Policy>;
    static constexpr bool by_product = Policy::one_pass && one::exponential;  ///< entropy without a logarithm

public:
    static constexpr bool watches = true;

    tile_watcher(attention_problem<float> const& p, attention_statistics<float>& to)
        : p_(p), to_(to), block_sums_(static_cast<std::size_t>((p.T + tile_columns - 1) / tile_columns * tile_columns)) {}

    of_rows slot{};  ///< the share that a learned slot takes

    /// Before the tiles of a block of rows.
    void start() {
        tiles_.clear();
        largest_.fill(-std::numeric_limits<float>::infinity());
        slot.fill(0);
    }
    /// Scores, before they are weighed.
    void scores(tile_keys const& tile, row_weigher<Policy> const& weigh, index_t rows, float const* s) {
        if constexpr (!one::has_reference || one::mixes)  // else the reference is the largest score
            for (index_t r = 0; r < rows; ++r)
                largest_[r] = std::max(largest_[r], hmax(weigh.of_row(r).largest(s + r * tile_columns, tile.seen_by(r), tile.padded())));
    }
    /// f(s) relative to the reference of now, or weights; both stay where they are until `look`.
    void weights(tile_keys const& tile, row_weigher<Policy> const& weigh, float const* f) { tiles_.push_back({tile, weigh.m, f}); }

    /// Once m and z of the rows are known: what the kept tiles say of query rows i0, i0 + 1, ... of head h.
    /// \param sums  (T): column sums of these rows are added
    void look(row_weigher<Policy> const& weigh, index_t b, index_t h, index_t i0, index_t rows, double* sums) {
        of_rows share, entropy;  // w is f times it
        entropy.fill(0);
        for (index_t r = 0; r < rows; ++r) {
            bool const none = p_.template visible<Policy>(b, i0 + r).none();
            float const g = Policy::one_pass ? one::row_factor(weigh.m[r], weigh.z[r]) : 1.0f;
            share[r] = none ? 0 : g * (1 - slot[r]);
            if constexpr (by_product)
                if (share[r] > 0) entropy[r] = -share[r] * (weigh.product[r] + std::log(share[r]) * weigh.z[r]);
            to_.largest_score(b, h, i0 + r) = none ? -std::numeric_limits<float>::infinity() : one::has_reference && !one::mixes ? weigh.m[r] : largest_[r];
        }
        std::fill(block_sums_.begin(), block_sums_.end(), 0.0f);
        for (index_t k = 0; k < to_.columns.shape(2); ++k) std::fill_n(&to_.columns(b, h, k, i0), rows, 0.0f);
        for (kept const& t : tiles_) look_at(t, weigh, share, entropy, b, h, i0, rows);
        std::copy_n(&entropy[0], rows, &to_.entropy(b, h, i0));
        for (index_t j = 0; j < p_.T; ++j) sums[j] += static_cast<double>(block_sums_[static_cast<std::size_t>(j)]);
    }

private:
    struct kept {
        tile_keys tile;
        of_rows m;
        float const* f;
    };

    void look_at(kept const& t, row_weigher<Policy> const& weigh, of_rows const& share, of_rows& entropy, index_t b, index_t h, index_t i0,
                 index_t rows) {
        of_rows by = share;
        if constexpr (Policy::one_pass && one::degree != 0)
            for (index_t r = 0; r < rows; r += register_width) {
                lanes const then = load_aligned(&t.m[r]), now = load_aligned(&weigh.m[r]);
                lanes const shrunk = select(then.data < now.data, power<one::degree>(attnlab::exp(then - now)), lanes(1.0f));
                store_aligned(&by[r], shrunk * load_aligned(&share[r]));
            }
        for (band const& part : t.tile.bands())
            multiply(1, part.columns, part.rows, &by[part.row], tile_rows, 1, t.f + part.row * tile_columns + part.column, tile_columns,
                     block_sums_.data() + t.tile.first + part.column, part.columns, true);
        for (std::size_t k = 0; k < to_.keys.size(); ++k) {
            index_t const c = to_.keys[k] - t.tile.first;
            if (c < 0 || c >= t.tile.count) continue;
            for (index_t r = 0; r < rows; ++r)
                if (t.tile.seen_by(r) >> c & 1) to_.columns(b, h, static_cast<index_t>(k), i0 + r) = by[r] * t.f[r * tile_columns + c];
        }
        if constexpr (!by_product)
            for (index_t r = 0; r < rows; ++r) {
                lanes sum(0.0f);
                auto const add = [&](index_t c, auto in) {
                    lanes const w = load_aligned(t.f + r * tile_columns + c) * by[r];
                    sum -= seen_or(in, select(w.data > 0.0f, w * attnlab::log(w), lanes(0.0f)), 0.0f);
                };
                each_register(t.tile.seen_by(r), t.tile.padded(), add, [](index_t) {});
                entropy[r] += hsum(sum);
            }
    }

    attention_problem<float> const& p_;
    attention_statistics<float>& to_;
    std::vector<kept> tiles_;
    of_rows largest_{};
    buffer<float> block_sums_;
};

}  // namespace attnlab::detail
