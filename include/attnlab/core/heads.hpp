#pragma once
#include <type_traits>

#include <attnlab/core/view.hpp>

namespace attnlab {

/// Rows of D numbers indexed by (batch, head, position), wherever they lie: in a packed (B, T, 3C) projection, in merged heads
/// (B, T, C) or in a (B, H, T, D) array. Strides count elements; the D numbers of a row are adjacent.
template <class T>
struct heads {
    T* data = nullptr;
    index_t batch = 0, head = 0, position = 0;

    constexpr T* row(index_t b, index_t h, index_t t) const { return data + b * batch + h * head + t * position; }

    operator heads<T const>() const
        requires(!std::is_const_v<T>)
    {
        return {data, batch, head, position};
    }
};

/// The heads inside a (B, T, W) tensor whose last axis holds H rows of D starting at `offset`.
template <class T>
heads<T> merged_heads(view<T, 3> x, index_t head_size, index_t offset = 0) {
    return {x.data() + offset, x.shape(1) * x.shape(2), head_size, x.shape(2)};
}

/// The heads of a (B, H, T, D) array.
template <class T>
heads<T> separate_heads(view<T, 4> x) {
    return {x.data(), x.shape(1) * x.shape(2) * x.shape(3), x.shape(2) * x.shape(3), x.shape(3)};
}

}  // namespace attnlab
