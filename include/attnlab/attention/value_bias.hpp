#pragma once
#include <attnlab/attention/parameters.hpp>

namespace attnlab {

/// y = o + v': a fixed bias on the merged heads. Variant (b) of 2502.06415 (model_vbias.py, whose broadcast fails for H > 1; this is
/// the meaning it can have). Starts at 0, not decayed.
struct value_bias {
    struct parameters {
        merged_vector<"v_bias"> value{zeros};
    };
    static constexpr auto output(auto const& row, auto const& p) { return row.output + p.value; }
};

}  // namespace attnlab
