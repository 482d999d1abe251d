#pragma once
#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/symbols.hpp>

/// \file
/// Joints that only tests use: known formulas that reach the corners of the language which the six policies leave alone.

namespace attnlab::testing {

/// softpick with its epsilon as written, not riding with the row's maximum: its gradients are differences to the last digits. The
/// summand is not the numerator, both have kinks.
struct literal_softpick {
    static constexpr auto summand(auto s) { return abs(exp(s) - 1); }
    static constexpr auto weight(auto s, auto z) { return relu(exp(s) - 1) / (z + 1e-8); }
};

/// Every function and operator on rows and on numbers, in a formula without meaning.
struct all_functions {
    struct parameters {
        head_vector<"row"> row{normal(1)};
        merged_vector<"merged"> merged{ones};
        head_scalar<"number"> number{ones};
    };
    static constexpr auto output(auto const& row, auto const& p) {
        auto const gate = tanh(row.query + p.row) / sqrt(1 + exp(p.merged * row.scale));
        auto const number = log(2 + abs(p.number - tanh(row.log_normalizer))) / 3;
        return gate * row.output - number * relu(p.merged - 0.5) + (-p.row) * sigmoid(dot(row.output, row.query));
    }
};

/// A mask chosen while the test runs, so that one instantiation serves all: kernels ask it as they ask any other.
struct any_mask {
    enum kind { causal, full, window, gaps, none };
    static inline kind now = causal;
    static inline index_t width = 5;

    static key_range keys(index_t i, index_t T) {
        switch (now) {
            case causal:
                return {0, i + 1};
            case full:
                return {0, T};
            case window:
                return {i + 1 > width ? i + 1 - width : 0, i + 1};
            case gaps:
                return i % 3 == 1 ? key_range{i, i} : key_range{i / 2, i + 1};  // every third row sees nothing
            default:
                return {0, 0};
        }
    }
};

/// Sets `any_mask` for a scope.
struct with_mask {
    any_mask::kind kept = any_mask::now;
    explicit with_mask(any_mask::kind k) { any_mask::now = k; }
    with_mask(with_mask const&) = delete;
    with_mask& operator=(with_mask const&) = delete;
    ~with_mask() { any_mask::now = kept; }
};

}  // namespace attnlab::testing
