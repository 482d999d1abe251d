#pragma once
#include <cstddef>
#include <new>

/// \file
/// Where the memory of buffers comes from: the heap, until something else is put in its place, as managed memory that a GPU and the host both see
/// (kernels/cuda/runtime.hpp). A buffer gives its memory back to where it had it from.

namespace attnlab {

inline constexpr std::size_t line_bytes = 64;

/// A pair of functions.
struct memory_source {
    void* (*allocate)(std::size_t bytes);   ///< on a line of 64 bytes \throws std::bad_alloc, or error
    void (*free)(void* p, std::size_t bytes);
};

inline constexpr memory_source heap_memory{[](std::size_t bytes) { return ::operator new(bytes, std::align_val_t{line_bytes}); },
                                           [](void* p, std::size_t) { ::operator delete(p, std::align_val_t{line_bytes}); }};

/// Where buffers made from now on take theirs from. To be replaced before there are threads.
inline memory_source const*& current_memory() {
    static memory_source const* now = &heap_memory;
    return now;
}

}  // namespace attnlab
