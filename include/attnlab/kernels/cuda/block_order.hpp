#pragma once
#include <cstdint>

#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/bits.hpp>

namespace attnlab::gpu {

/// Which head of which sequence a block has, and the how-many-th of that head's blocks it is. `kv`: the head of k and v that head reads.
struct block_place {
    index_t b, h, kv, turn;
};

/// Blocks start in order of `id`. Heads are taken in groups that the second cache holds; within a group the first blocks of all heads come first, which are given the
/// most work.
class block_order {
public:
    block_order() = default;
    /// Of `turns` blocks for each of `heads` heads of a sequence, which read `bytes` a head. \param per_kv how many of them share a head of k and v
    constexpr block_order(index_t sequences, index_t heads, index_t turns, index_t bytes, index_t per_kv) : heads_(heads), per_kv_(per_kv) {
        constexpr index_t cache = index_t{16} << 20;   // a third of an H100's
        index_t const pairs = sequences * heads, fit = cache / bytes, group = fit < 1 ? 1 : fit < pairs ? fit : pairs, rest = pairs % group;
        group_ = divisor(group), last_ = divisor(rest > 0 ? rest : group), of_group_ = divisor(group * turns);
        whole_groups_ = static_cast<std::uint32_t>(pairs / group);
    }
    constexpr block_place operator()(index_t id) const {
        auto const n = static_cast<std::uint32_t>(id), group = of_group_.quotient(n), within = n - group * of_group_.number();
        divisor const& size = group < whole_groups_ ? group_ : last_;
        std::uint32_t const turn = size.quotient(within), pair = group * group_.number() + within - turn * size.number(), b = heads_.quotient(pair), h = pair - b * heads_.number();
        return {b, h, per_kv_.quotient(h), turn};
    }

    constexpr index_t per_kv() const { return per_kv_.number(); }

private:
    divisor group_, last_, of_group_, heads_, per_kv_;
    std::uint32_t whole_groups_ = 1;
};

}  // namespace attnlab::gpu
