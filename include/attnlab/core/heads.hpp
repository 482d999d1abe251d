#pragma once
#include <array>
#include <type_traits>

#include <attnlab/core/bfloat16.hpp>
#include <attnlab/core/buffer.hpp>

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

/// Such rows as they are stored: as numbers of S or, on a GPU, rounded to bfloat16; one of the two. What a CPU does with them asks for no rounded ones.
template <class S>
struct stored_heads {
    using rounded_type = std::conditional_t<std::is_const_v<S>, bfloat16 const, bfloat16>;
    heads<S> whole{};
    heads<rounded_type> rounded{};

    constexpr stored_heads() = default;
    constexpr stored_heads(heads<S> x) : whole(x) {}
    constexpr stored_heads(heads<rounded_type> x) : rounded(x) {}
    template <class X>
        requires(std::is_const_v<S> && !std::is_const_v<X> && (std::is_same_v<X, std::remove_const_t<S>> || std::is_same_v<X, bfloat16>))
    constexpr stored_heads(heads<X> x) : stored_heads(heads<X const>(x)) {}

    constexpr operator stored_heads<S const>() const
        requires(!std::is_const_v<S>)
    {
        return is_rounded() ? stored_heads<S const>(rounded) : stored_heads<S const>(whole);
    }
    constexpr bool is_rounded() const { return rounded.data != nullptr; }
    constexpr operator heads<S>() const { return whole; }
    constexpr S* row(index_t b, index_t h, index_t t) const { return whole.row(b, h, t); }
    /// `body(rows)`, of one type or the other.
    template <class Body>
    constexpr auto visit(Body body) const {
        if (is_rounded()) return body(rounded);
        return body(whole);
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

/// Memory of merged heads (B, T, H D), of the one type or the other.
template <class S>
class heads_memory {
public:
    void resize(std::array<index_t, 3> shape, bool rounded) {
        is_rounded_ = rounded;
        if (rounded) rounded_.resize(shape);
        else whole_.resize(shape);
    }
    stored_heads<S> rows(index_t head_size, index_t offset = 0) {
        if (is_rounded_) return merged_heads(*rounded_, head_size, offset);
        return merged_heads(*whole_, head_size, offset);
    }
    stored_heads<S const> rows(index_t head_size, index_t offset = 0) const {
        if (is_rounded_) return merged_heads(*rounded_, head_size, offset);
        return merged_heads(*whole_, head_size, offset);
    }

private:
    tensor<S, 3> whole_;
    tensor<bfloat16, 3> rounded_;
    bool is_rounded_ = false;
};

}  // namespace attnlab
