#pragma once
#include <cmath>

#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// Bucket of a distance i - j >= 0, one for each below `Buckets` / 2, then as many in logarithmic steps up to `MaxDistance` (the causal
/// form of 1910.10683); keys ahead share bucket 0.
template <index_t Buckets, index_t MaxDistance>
struct t5_bucket {
    static constexpr index_t exact = Buckets / 2;
    static_assert(exact > 0 && MaxDistance > exact, "t5_bias<Buckets, MaxDistance>: expected 2 <= Buckets < 2 MaxDistance");
    constexpr index_t operator()(index_t distance) const {
        if (distance < exact) return distance < 0 ? 0 : distance;
        double const first = exact, steps = Buckets - exact;
        double const step = std::log(static_cast<double>(distance) / first) / std::log(static_cast<double>(MaxDistance) / first) * steps;
        return step < steps ? exact + static_cast<index_t>(step) : Buckets - 1;
    }
};

/// s <- s + b_h[bucket(i - j)]: a learned bias by distance (T5, 1910.10683; on disk (H, Buckets), T5's embedding transposed). Starts
/// normal with 0.02, decayed. T5 itself does not scale its scores by 1 / sqrt(D).
template <index_t Buckets = 32, index_t MaxDistance = 128>
struct t5_bias {
    struct parameters {
        head_table<"relative_attention_bias", Buckets> bias{normal(0.02)};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        return s + lookup(p.bias, at.distance, t5_bucket<Buckets, MaxDistance>{});
    }
};

}  // namespace attnlab
