#pragma once
#include <array>
#include <string_view>
#include <tuple>
#include <vector>

#include <attnlab/attention/symbols.hpp>
#include <attnlab/core/fixed_string.hpp>
#include <attnlab/core/parameter.hpp>

/// \file
/// Learned tensors of a policy. Each says in its type its name on disk and its shape, and in its value how it starts; in a formula
/// it stands for the row (or number) that belongs to the head at hand. Decay: from rank 2 up, unless said otherwise.

namespace attnlab {

/// The sizes that shapes are made of.
struct head_sizes {
    index_t heads, head_size, width;   ///< H, D, C
};

namespace expr {
/// A learned tensor that holds `Length` numbers for every head, or the same for all when `Shared`.
template <fixed_string Name, length Length, bool Shared = false>
struct learned {
    using expression_tag = void;
    using learned_tag = void;
    static constexpr length size = Length;
    static constexpr bool shared = Shared;
    static constexpr std::string_view name = Name.view();

    constexpr learned() = default;
    explicit constexpr learned(initializer first) : init(first) {}

    initializer init = zeros;

    /// Numbers that a head reads: 1, D or C.
    static constexpr index_t per_head(head_sizes n) {
        return Length == length::scalar ? 1 : Length == length::head ? n.head_size : n.width;
    }
};
}  // namespace expr

/// A row of D for every head; (1, H, 1, D) on disk, decayed.
template <fixed_string Name>
struct head_vector : expr::learned<Name, expr::length::head> {
    using expr::learned<Name, expr::length::head>::learned;
    static std::vector<index_t> shape(head_sizes n) { return {1, n.heads, 1, n.head_size}; }
};

/// A row of D for every head, on disk as one row over the merged heads, (C); not decayed.
template <fixed_string Name>
struct merged_vector : expr::learned<Name, expr::length::head> {
    using expr::learned<Name, expr::length::head>::learned;
    static std::vector<index_t> shape(head_sizes n) { return {n.heads * n.head_size}; }
};

/// One row of D for all heads; (D) on disk, not decayed.
template <fixed_string Name>
struct shared_vector : expr::learned<Name, expr::length::head, true> {
    using expr::learned<Name, expr::length::head, true>::learned;
    static std::vector<index_t> shape(head_sizes n) { return {n.head_size}; }
};

/// A row of C for every head, to be multiplied with the layer's input; (H, C) on disk, decayed.
template <fixed_string Name>
struct head_map : expr::learned<Name, expr::length::model> {
    using expr::learned<Name, expr::length::model>::learned;
    static std::vector<index_t> shape(head_sizes n) { return {n.heads, n.width}; }
};

/// A number for every head; (H) on disk, not decayed.
template <fixed_string Name>
struct head_scalar : expr::learned<Name, expr::length::scalar> {
    using expr::learned<Name, expr::length::scalar>::learned;
    static std::vector<index_t> shape(head_sizes n) { return {n.heads}; }
};

/// `N` numbers for every head, read by `lookup`; (H, N) on disk, decayed.
template <fixed_string Name, index_t N>
struct head_table {
    using learned_tag = void;
    static_assert(N > 0, "head_table<Name, N>: N numbers a head, at least one");
    static constexpr std::string_view name = Name.view();
    static constexpr index_t entries = N;
    static constexpr bool shared = false;
    initializer init = zeros;

    constexpr head_table() = default;
    explicit constexpr head_table(initializer first) : init(first) {}
    static constexpr index_t per_head(head_sizes) { return N; }
    static std::vector<index_t> shape(head_sizes n) { return {n.heads, N}; }
};

/// A matrix from the layer's input to a row of D for every head, read by `project`; (H D, C) on disk, decayed. Its products are one
/// GEMM for all heads and tokens.
template <fixed_string Name>
struct head_matrix {
    using learned_tag = void;
    using matrix_tag = void;
    static constexpr std::string_view name = Name.view();
    static constexpr bool shared = false;
    initializer init = zeros;

    constexpr head_matrix() = default;
    explicit constexpr head_matrix(initializer first) : init(first) {}
    static constexpr index_t per_head(head_sizes n) { return n.head_size * n.width; }
    static std::vector<index_t> shape(head_sizes n) { return {n.heads * n.head_size, n.width}; }
};

/// What a member of `struct parameters` must be.
template <class P>
concept learned_tensor = requires(head_sizes n) {
    typename P::learned_tag;
    P::name;
    P::init;
    P::shape(n);
};

/// Where head h's numbers of a learned tensor begin, and how many numbers all heads have.
template <class P>
constexpr index_t offset_of(P const&, head_sizes n, index_t h) {
    return P::shared ? 0 : h * P::per_head(n);
}
template <class P>
constexpr index_t total_of(P const&, head_sizes n) {
    return P::shared ? P::per_head(n) : n.heads * P::per_head(n);
}

namespace expr {
/// Each key's entry of a table of the head: table[Bucket{}(i - j)].
template <class Table, class Bucket>
struct looked_up {
    using expression_tag = void;
    static constexpr length size = length::keys;
    static constexpr index_t bucket(index_t distance) {
        index_t const b = Bucket{}(distance);
        return b < 0 ? 0 : b < Table::entries ? b : Table::entries - 1;
    }
};
/// The row of D that a matrix of the head makes of the layer's input.
template <class Matrix>
struct projected {
    using expression_tag = void;
    static constexpr length size = length::head;
    static constexpr std::string_view matrix = Matrix::name;
};
}  // namespace expr

/// `table[bucket(i - j)]` for each key of the row; `bucket` without captures, its result kept within the table.
template <class Table, class Bucket>   // Table<Name, N>: nvcc deduces no Name
    requires requires { Table::entries; }
constexpr auto lookup(Table const&, expr::symbol<expr::distance_tag, expr::length::keys>, Bucket) {
    constexpr bool type_says_all = std::is_empty_v<Bucket> && std::is_default_constructible_v<Bucket>;
    static_assert(type_says_all, "lookup(table, at.distance, bucket): a bucket without captures: kernels know its type alone");
    if constexpr (type_says_all) return expr::looked_up<Table, Bucket>{};
    else return expr::ill_formed{};
}
/// W_h x (D), for query i or token t.
template <class Matrix>
    requires requires { typename Matrix::matrix_tag; }
constexpr expr::projected<Matrix> project(Matrix const&, expr::symbol<expr::input_tag, expr::length::model>) {
    return {};
}

namespace detail {
struct anything {
    template <class T>
    operator T() const;
};
template <class S, class... A>
constexpr std::size_t count_members() {
    if constexpr (requires { S{A{}..., anything{}}; })
        return count_members<S, A..., anything>();
    else
        return sizeof...(A);
}
}  // namespace detail

/// The members of a struct of parameters as a tuple. C++20 has no reflection: arity by trial, then a structured binding.
template <class Struct>
constexpr auto members(Struct const& s) {
    constexpr std::size_t n = detail::count_members<Struct>();
    static_assert(n <= 6, "a joint with more than six parameters: split it into two joints");
    if constexpr (n == 0) {
        return std::tuple{};
    } else if constexpr (n == 1) {
        auto const& [a] = s;
        return std::tuple{a};
    } else if constexpr (n == 2) {
        auto const& [a, b] = s;
        return std::tuple{a, b};
    } else if constexpr (n == 3) {
        auto const& [a, b, c] = s;
        return std::tuple{a, b, c};
    } else if constexpr (n == 4) {
        auto const& [a, b, c, d] = s;
        return std::tuple{a, b, c, d};
    } else if constexpr (n == 5) {
        auto const& [a, b, c, d, e] = s;
        return std::tuple{a, b, c, d, e};
    } else {
        auto const& [a, b, c, d, e, f] = s;
        return std::tuple{a, b, c, d, e, f};
    }
}

}  // namespace attnlab
