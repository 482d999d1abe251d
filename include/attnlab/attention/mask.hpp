#pragma once
#include <attnlab/attention/symbols.hpp>

namespace attnlab {

/// Query i sees keys 0 .. i.
struct causal {
    static constexpr key_range keys(index_t i, index_t) { return {0, i + 1}; }
};

/// Every query sees every key.
struct full {
    static constexpr key_range keys(index_t, index_t T) { return {0, T}; }
};

/// Query i sees itself and the `Width` - 1 keys before it (Longformer, 2004.05150; Mistral, 2310.06825).
template <index_t Width>
struct sliding_window {
    static_assert(Width > 0, "sliding_window<Width>: Width counts the query itself and must be positive");
    static constexpr key_range keys(index_t i, index_t) { return {i + 1 > Width ? i + 1 - Width : 0, i + 1}; }
};

}  // namespace attnlab
