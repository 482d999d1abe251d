#pragma once
#include <attnlab/attention/expression.hpp>
#include <attnlab/core/real.hpp>

namespace attnlab {

/// v as it is, but dv <- `Factor` dv on the way back: tells whether a phenomenon comes through the values' gradient (V-scale, 2603.17771,
/// with a constant factor).
template <real Factor>
struct value_scale {
    static constexpr auto value(auto const& row) {
        auto const v = stop_gradient(row.value);
        return v + Factor * (row.value - v);
    }
};

}  // namespace attnlab
