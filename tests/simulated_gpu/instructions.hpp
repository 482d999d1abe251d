#pragma once
#include <string>
#include <unordered_map>
#include <utility>

#include "warp.hpp"

/// \file
/// How an instruction is defined: by a function of numbers that every lane applies, or by one of the warp.

namespace simulated {

using instruction_table = std::unordered_map<std::string, known_instruction>;
void add_arithmetic(instruction_table& t);
void add_conversions(instruction_table& t);
void add_memory(instruction_table& t);
void add_warp(instruction_table& t);
void add_warpgroup(instruction_table& t);

namespace detail {
template <auto F, class R, class... A, std::size_t... I>
void lanewise(warp& w, instruction const& i, R (*)(A...), std::index_sequence<I...>) {
    word* const to = w.reg(i, 0);
    std::array<word const*, sizeof...(A)> const from{w.reg(i, static_cast<int>(I) + 1)...};
    w.each([&](int l) { to[l] = as_word<R>(F(from_word<A>(from[I][l])...)); });
}
template <auto F, class R, class... A>
void lanewise(warp& w, instruction const& i, R (*f)(A...)) {
    lanewise<F>(w, i, f, std::index_sequence_for<A...>{});
}
}  // namespace detail

/// to = F(operands): their types are those of F.
template <auto F>
void lanewise(warp& w, instruction const& i) {
    detail::lanewise<F>(w, i, +F);
}

}  // namespace simulated
