#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/data/tokens.hpp>

/// \file
/// Which part of a step's global batch a rank takes.

namespace attnlab {

/// A step's micro-batches are dealt out in turn, as in nanoGPT. Where the ranks do not divide their number, each is first cut into as many
/// parts of rows as make it so: with 4 ranks, one micro-batch into quarters. The global batch is the same for any number of ranks.
class batch_share {
public:
    /// \throws usage_error that names the fields where rows can not be cut so
    batch_share(std::int64_t micro_batches, index_t batch_size, int rank, int ranks)
        : parts_(ranks / std::gcd(micro_batches, std::int64_t{ranks})), count_(micro_batches * parts_ / ranks), rows_(batch_size / parts_), rank_(rank), ranks_(ranks) {
        if (batch_size % parts_ != 0)
            fail<usage_error>("gradient_accumulation_steps: '", micro_batches, "': expected a multiple of ", ranks, ", the ranks of mpirun, or a batch_size (now ", batch_size,
                              ") that is a multiple of ", parts_);
    }

    /// Rows first to first + rows - 1 of a step's micro-batch.
    struct piece {
        std::int64_t micro_batch;
        index_t first, rows;
    };
    /// Pieces of this rank, the same number on each.
    std::int64_t count() const { return count_; }
    /// Its n-th.
    piece operator[](std::int64_t n) const {
        auto const at = n * ranks_ + rank_;
        return {at / parts_, at % parts_ * rows_, rows_};
    }
    bool cuts() const { return parts_ > 1; }

private:
    std::int64_t parts_, count_;
    index_t rows_;
    int rank_, ranks_;
};

/// Rows of a batch.
template <class U>
view<U, 2> rows_of(view<U, 2> x, batch_share::piece p) {
    return {x.data() + p.first * x.shape(1), {p.rows, x.shape(1)}};
}

/// The share of a batch's targets that stand in some of its rows: -1 is none.
inline double share_of_targets(view<token const, 2> rows, view<token const, 2> batch) {
    auto const count = [](view<token const, 2> y) { return static_cast<double>(y.size() - std::count(y.begin(), y.end(), token{-1})); };
    return count(rows) / count(batch);
}

}  // namespace attnlab
