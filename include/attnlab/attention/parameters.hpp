#pragma once
#include <array>
#include <string_view>
#include <tuple>
#include <vector>

#include <attnlab/attention/expression.hpp>
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
/// A learned tensor that holds `size` numbers for every head.
template <fixed_string Name, length Length>
struct learned {
    using expression_tag = void;
    static constexpr length size = Length;
    static constexpr std::string_view name = Name.view();

    constexpr learned() = default;
    explicit constexpr learned(initializer first) : init(first) {}

    initializer init = zeros;

    /// Numbers that belong to one head: 1, D or C.
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
