#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// y = o + p0 v', p0 the share that k' would take beside the keys. Variant (c) of 2502.06415 (model_cabias.py runs a second
/// attention with a dense mask for it).
struct context_bias {
    struct parameters {
        head_vector<"k_bias"> key{normal(0.02)};
        head_vector<"v_bias"> value{normal(0.02)};
    };
    static constexpr auto output(auto const& row, auto const& p) {
        return row.output + sigmoid(row.scale * dot(row.query, p.key) - row.log_normalizer) * p.value;
    }
};

}  // namespace attnlab
