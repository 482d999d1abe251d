#pragma once
#include <algorithm>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/core/memory.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// Memory on 64-byte lines, so that every row that begins a buffer may be loaded as a full register.

namespace attnlab {

/// The allocator behind `buffer`: of the memory source that is current where the buffer is made. New elements are left as they are: a buffer
/// that is written before it is read costs no sweep.
template <class T>
struct line_allocator {
    using value_type = T;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;
    using is_always_equal = std::false_type;

    memory_source const* source = current_memory();

    line_allocator() = default;
    template <class U>
    line_allocator(line_allocator<U> const& other) : source(other.source) {}
    T* allocate(std::size_t n) { return static_cast<T*>(source->allocate(n * sizeof(T))); }
    void deallocate(T* p, std::size_t n) { source->free(p, n * sizeof(T)); }
    line_allocator select_on_container_copy_construction() const { return {}; }
    template <class U>
    void construct(U* p) { ::new (static_cast<void*>(p)) U; }
    template <class U, class... A>
    void construct(U* p, A&&... a) { ::new (static_cast<void*>(p)) U(static_cast<A&&>(a)...); }
    bool operator==(line_allocator const&) const = default;
};

template <class T>
using buffer = std::vector<T, line_allocator<T>>;

/// An owned tensor: a buffer with a shape. `resize` keeps the storage where it is large enough; contents are then unspecified.
template <class T, std::size_t N>
class tensor {
public:
    tensor() = default;
    tensor(tensor const&) = default;
    tensor& operator=(tensor const&) = default;
    /// What is left behind is empty, its shape too.
    tensor(tensor&& other) noexcept : storage_(std::move(other.storage_)), shape_(std::exchange(other.shape_, {})) {}
    tensor& operator=(tensor&& other) noexcept {
        storage_ = std::move(other.storage_);
        shape_ = std::exchange(other.shape_, {});
        return *this;
    }
    explicit tensor(std::array<index_t, N> shape) { resize(shape); }
    tensor(std::array<index_t, N> shape, T value) {
        resize(shape);
        fill(value);
    }

    void resize(std::array<index_t, N> shape) {
        shape_ = shape;
        auto const n = static_cast<std::size_t>(view<T, N>{nullptr, shape}.size());
        if (n > storage_.capacity()) storage_ = buffer<T>(storage_.get_allocator());   // given back first, nothing carried over: a device may be busy with it
        storage_.resize(n);
    }
    void fill(T value) { std::fill(storage_.begin(), storage_.end(), value); }

    operator view<T, N>() { return {storage_.data(), shape_}; }
    operator view<T const, N>() const { return {storage_.data(), shape_}; }
    view<T, N> operator*() { return *this; }
    view<T const, N> operator*() const { return *this; }

    T* data() { return storage_.data(); }
    T const* data() const { return storage_.data(); }
    index_t size() const { return static_cast<index_t>(storage_.size()); }
    std::array<index_t, N> const& shape() const { return shape_; }
    index_t shape(std::size_t axis) const { return shape_[axis]; }

    template <class... I>
    T& operator()(I... i) { return view<T, N>(*this)(i...); }
    template <class... I>
    T const& operator()(I... i) const { return view<T const, N>(*this)(i...); }

private:
    buffer<T> storage_;
    std::array<index_t, N> shape_{};
};

}  // namespace attnlab
