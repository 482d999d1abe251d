#pragma once
#include <type_traits>

#include <attnlab/core/heads.hpp>
#include <attnlab/kernels/cuda/row_lanes.hpp>

/// \file
/// The lanes of rows that are walked token by token (token_rows.hpp): what is read of a row lies in memory, of floats or rounded.

namespace attnlab {

namespace gpu {

/// Lanes of rows whose chunks are written out.
template <class Lanes>
concept writes_chunks_out = requires { Lanes::row_size; };
/// Lanes whose rows all lie rounded: who asks at each would wait for one before it asks for the next.
template <class Lanes>
concept reads_rounded_rows = requires { requires Lanes::rounded_rows; };

/// A row of stored_heads, as it is stored.
template <class S>
struct stored_row {
    S* whole = nullptr;
    typename stored_heads<S>::rounded_type* rounded = nullptr;

    constexpr stored_row() = default;
    template <class Lanes>
    constexpr stored_row(Lanes, stored_heads<S> const& all, index_t b, index_t h, index_t t)
        : whole(lies_rounded<Lanes>(all) ? nullptr : all.whole.row(b, h, t)), rounded(lies_rounded<Lanes>(all) ? all.rounded.row(b, h, t) : nullptr) {}
    constexpr operator stored_row<S const>() const
        requires(!std::is_const_v<S>)
    {
        stored_row<S const> x;
        x.whole = whole, x.rounded = rounded;
        return x;
    }

    /// Its numbers i, ...
    template <class Lanes, class V>
    constexpr V at(index_t i) const {
        if constexpr (reads_rounded_rows<Lanes>) return read<Lanes, V>(rounded + i);
        else return rounded ? read<Lanes, V>(rounded + i) : read<Lanes, V>(whole + i);
    }
    /// They become x.
    template <class Lanes, class V>
    constexpr void write(Lanes lanes, index_t i, V x) const {
        if constexpr (reads_rounded_rows<Lanes>) put(lanes, rounded + i, x);
        else rounded ? put(lanes, rounded + i, x) : put(lanes, whole + i, x);
    }

private:
    template <class Lanes>
    static constexpr bool lies_rounded(stored_heads<S> const& all) {
        if constexpr (reads_rounded_rows<Lanes>) return true;
        else return all.is_rounded();
    }
    template <class Lanes, class V, class T>
    static constexpr V read(T const* x) {
        if constexpr (std::is_same_v<V, float>) return static_cast<float>(*x);
        else return Lanes::load(x);
    }
    template <class Lanes, class T, class V>
    static constexpr void put(Lanes, T* y, V x) {
        if constexpr (std::is_same_v<V, float>) Lanes::once([&] { *y = static_cast<T>(x); });
        else Lanes::write(y, x);
    }
};
/// The lanes of rows of `Size` channels that lie rounded, whose chunks are written out, or of any where it is 0. Rows of x are none of theirs but where it is 0 (token_rows.hpp).
template <class Group, int N, int Size>
struct token_lanes : row_lanes<Group, N> {
    static constexpr index_t row_size = Size;
    static constexpr bool rounded_rows = true;
};
template <class Group, int N>
struct token_lanes<Group, N, 0> : row_lanes<Group, N> {};

/// How many chunks a row has, where that is known.
template <class Lanes>
inline constexpr int chunks_of = 1;
template <writes_chunks_out Lanes>
inline constexpr int chunks_of<Lanes> = static_cast<int>(Lanes::row_size / Lanes::width);

/// The gradient of a row to which a formula adds, at several places maybe: in registers where its chunks are written out, else in scratch memory, since in global memory that would cost more.
template <class Lanes>
class row_gradient {
    using pack = typename Lanes::pack;

public:
    /// Zero, of n numbers.
    constexpr void begin([[maybe_unused]] float* scratch, index_t n) {
        if constexpr (writes_chunks_out<Lanes>) {
            unrolled<chunks_of<Lanes>>([&](int k) { kept_[k] = pack(0.0f); });
        } else {
            scratch_ = scratch;
            expr::each_chunk<Lanes>(n, [&]<class V>(index_t i, V) { expr::store<Lanes, V>(scratch_ + i, V(0.0f)); });
        }
    }
    template <class V>
    constexpr void add(index_t i, V x) {
        if constexpr (writes_chunks_out<Lanes>) kept_[i / Lanes::width] = kept_[i / Lanes::width] + x;
        else expr::add_to<Lanes>(scratch_ + i, x);
    }
    template <class V>
    constexpr V at(index_t i) const {
        if constexpr (writes_chunks_out<Lanes>) return kept_[i / Lanes::width];
        else return expr::load<Lanes, V>(scratch_ + i);
    }
    /// To a row of n numbers in memory, when all has been added.
    constexpr void give(Lanes lanes, stored_row<float> const& to, index_t n) const {
        if constexpr (!writes_chunks_out<Lanes>) Lanes::sync();   // the numbers of the row's tail one lane wrote
        expr::each_chunk<Lanes>(n, [&]<class V>(index_t i, V) { to.write(lanes, i, at<V>(i)); });
    }

private:
    float* scratch_;
    pack kept_[chunks_of<Lanes>];
};
/// A row of which a joint reads rows in memory.
template <class Lanes>
struct token_row : row_point<float> {
    stored_row<float const> given, asked;       ///< what the joint changes; the query
    row_gradient<Lanes> d_given, d_asked;

    template <class Tag>
    constexpr auto const& of() const {
        if constexpr (std::is_same_v<Tag, expr::source_tag>) return given;
        else return asked;
    }
    template <class Tag>
    constexpr auto& gradient() {
        if constexpr (std::is_same_v<Tag, expr::source_tag>) return d_given;
        else return d_asked;
    }
};

}  // namespace gpu

namespace expr {

template <class Lanes, class Tag>
struct token_leaf {
    using pack = typename Lanes::pack;
    using row = gpu::token_row<Lanes>;
    pack kept[gpu::chunks_of<Lanes>];   // where chunks are written out: read once, all of them together

    constexpr void forward([[maybe_unused]] row_point<float> const& r) {
        if constexpr (gpu::writes_chunks_out<Lanes>)
            gpu::unrolled<gpu::chunks_of<Lanes>>([&](int k) { kept[k] = static_cast<row const&>(r).template of<Tag>().template at<Lanes, pack>(k * Lanes::width); });
    }
    template <class V, bool = false>
    constexpr V at([[maybe_unused]] row_point<float> const& r, index_t i) const {
        if constexpr (gpu::writes_chunks_out<Lanes>) return kept[i / Lanes::width];
        else return static_cast<row const&>(r).template of<Tag>().template at<Lanes, V>(i);
    }
    template <class V>
    constexpr void back(row_point<float>& r, index_t i, V adjoint) const {
        static_cast<row&>(r).template gradient<Tag>().add(i, adjoint);
    }
    constexpr void finish(row_point<float>&) const {}
};
template <class Group, int N, int Size, class Policy>
struct evaluator<gpu::token_lanes<Group, N, Size>, Policy, symbol<source_tag, length::head>> : token_leaf<gpu::token_lanes<Group, N, Size>, source_tag> {
    explicit constexpr evaluator(symbol<source_tag, length::head>) {}
};
template <class Group, int N, int Size, class Policy>
struct evaluator<gpu::token_lanes<Group, N, Size>, Policy, symbol<query_tag, length::head>> : token_leaf<gpu::token_lanes<Group, N, Size>, query_tag> {
    explicit constexpr evaluator(symbol<query_tag, length::head>) {}
};

}  // namespace expr
}  // namespace attnlab
