#pragma once
#include <cstdint>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>

namespace attnlab {

/// Looks through ids before a kernel uses them to index memory. \throws error that names the first outside [low, high)
inline void require_ids(char const* what, std::int32_t const* ids, index_t n, index_t low, index_t high) {
    for (index_t i = 0; i < n; ++i)
        require(low <= ids[i] && ids[i] < high, what, " ", ids[i], " at position ", i, ": expected ", low, " to ", high - 1);
}

}  // namespace attnlab
