#pragma once
#include <array>
#include <cassert>
#include <cstddef>
#include <span>
#include <type_traits>

/// \file
/// A pointer with a shape: how tensors travel between rooms. Letters used everywhere: B batch, T positions, C model width,
/// H heads, D head size, V vocabulary, L layers.

namespace attnlab {

using index_t = std::ptrdiff_t;

/// Row-major, contiguous, not owning. `view<float const, 3>` only looks.
template <class T, std::size_t N>
class view {
public:
    using shape_type = std::array<index_t, N>;

    view() = default;
    view(T* data, shape_type shape) : data_(data), shape_(shape) {}

    /// From a view that may write to one that may not.
    template <class U>
        requires(std::is_same_v<T, U const> && !std::is_same_v<T, U>)
    view(view<U, N> other) : data_(other.data()), shape_(other.shape()) {}

    T* data() const { return data_; }
    shape_type const& shape() const { return shape_; }
    index_t shape(std::size_t axis) const { return shape_[axis]; }
    index_t size() const {
        index_t n = 1;
        for (index_t s : shape_) n *= s;
        return n;
    }
    bool empty() const { return data_ == nullptr; }

    T* begin() const { return data_; }
    T* end() const { return data_ + size(); }
    operator std::span<T>() const { return {data_, static_cast<std::size_t>(size())}; }

    /// One element: `x(b, t, c)`.
    template <class... I>
        requires(sizeof...(I) == N)
    T& operator()(I... i) const {
        index_t offset = 0, axis = 0;
        ((offset = offset * shape_[static_cast<std::size_t>(axis++)] + static_cast<index_t>(i)), ...);
        assert(0 <= offset && offset < size());
        return data_[offset];
    }

    /// The i-th slice along the first axis.
    view<T, N - 1> operator[](index_t i) const
        requires(N > 1)
    {
        std::array<index_t, N - 1> rest;
        index_t stride = 1;
        for (std::size_t a = 1; a < N; ++a) stride *= rest[a - 1] = shape_[a];
        return {data_ + i * stride, rest};
    }

    /// The same elements under another shape of equal size.
    template <std::size_t M>
    view<T, M> reshaped(std::array<index_t, M> shape) const {
        view<T, M> out{data_, shape};
        assert(out.size() == size());
        return out;
    }

private:
    T* data_ = nullptr;
    shape_type shape_{};
};

/// (B, T, C) as (B T, C): what works on each token's row by itself does not ask which sequence it belongs to.
template <class T>
view<T, 2> rows(view<T, 3> x) {
    return x.reshaped(std::array{x.shape(0) * x.shape(1), x.shape(2)});
}

/// All elements as one row.
template <class T, std::size_t N>
view<T, 1> flat(view<T, N> x) {
    return {x.data(), {x.size()}};
}

}  // namespace attnlab
