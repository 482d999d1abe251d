#pragma once
#include <cstdint>

#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/bits.hpp>

namespace attnlab::gpu {

/// Which head of which sequence a block has, and the how-many-th of that head's blocks it is.
struct block_place {
    index_t b, h, turn;
};

/// Blocks start in order of `id`. Heads are taken in groups that the second cache holds; within a group the first blocks of all heads come first, which are given the
/// most work.
class block_order {
public:
    block_order() = default;
    /// Of `turns` blocks for each of `heads` heads of a sequence, which read `bytes` a head. Of none, there is no block to ask.
    constexpr block_order(index_t sequences, index_t heads, index_t turns, index_t bytes) : heads_(heads) {
        auto const some = [](index_t n) { return n < 1 ? 1 : n; };
        constexpr index_t cache = index_t{16} << 20;   // a third of an H100's
        index_t const pairs = some(sequences * heads), fit = some(cache / some(bytes)), group = fit < pairs ? fit : pairs, rest = pairs % group;
        group_ = divisor(group), last_ = divisor(rest > 0 ? rest : group), of_group_ = divisor(group * turns);
        whole_groups_ = static_cast<std::uint32_t>(pairs / group);
    }
    constexpr block_place operator()(index_t id) const {
        auto const n = static_cast<std::uint32_t>(id), group = of_group_.quotient(n), within = n - group * of_group_.number();
        divisor const& size = group < whole_groups_ ? group_ : last_;
        std::uint32_t const turn = size.quotient(within), pair = group * group_.number() + within - turn * size.number();
        return {heads_.quotient(pair), heads_.rest(pair), turn};
    }

private:
    divisor group_, last_, of_group_, heads_;
    std::uint32_t whole_groups_ = 1;
};

}  // namespace attnlab::gpu
