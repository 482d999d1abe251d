#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// y = (1 - p0) o, p0 the share that a learned key k' takes, its value 0 (2410.10781). `attention_bias` with v' = 0. k' starts normal with
/// 0.02, decayed.
struct key_bias {
    struct parameters {
        head_vector<"k_bias"> key{normal(0.02)};
    };
    static constexpr auto slot_share(auto const& row, auto const& p) {
        return sigmoid(row.scale * dot(row.query, p.key) - row.log_normalizer);
    }
    static constexpr auto output(auto const& row, auto const& p) {
        return sigmoid(row.log_normalizer - row.scale * dot(row.query, p.key)) * row.output;
    }
};

}  // namespace attnlab
