#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// One learned key k' and value v' beside the sequence: softmax over [q.k', q.K], weights times [v', V]. Variant (d) of 2502.06415
/// (2402.17762, 2410.10781). With p0 = sigmoid(q.k' / sqrt(D) - L), the share k' takes, this is (1 - p0) o + p0 v'.
struct attention_bias {
    struct parameters {
        head_vector<"k_bias"> key{normal(0.02)};
        head_vector<"v_bias"> value{normal(0.02)};
    };
    static constexpr auto slot_share(auto const& row, auto const& p) {
        return sigmoid(row.scale * dot(row.query, p.key) - row.log_normalizer);
    }
    static constexpr auto output(auto const& row, auto const& p) {
        auto const w = slot_share(row, p);
        return row.output + w * (p.value - row.output);
    }
};

}  // namespace attnlab
