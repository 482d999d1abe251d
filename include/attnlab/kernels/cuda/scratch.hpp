#pragma once
#include <attnlab/core/buffer.hpp>

namespace attnlab::gpu {

/// Memory that kernels work in and the host does not look at, one for each purpose; it grows and stays, so that a step in a training
/// allocates nothing. Kernels run in order: what one call leaves there the next one may overwrite.
template <class Purpose, class T>
T* scratch(index_t n) {
    static buffer<T> room;
    if (static_cast<index_t>(room.size()) < n) room.resize(static_cast<std::size_t>(n));
    return room.data();
}

}  // namespace attnlab::gpu
