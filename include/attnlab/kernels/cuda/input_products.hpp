#pragma once
#include <array>
#include <type_traits>
#include <utility>

#include <attnlab/attention/problem.hpp>
#include <attnlab/attention/row_point.hpp>
#include <attnlab/kernels/cuda/gemm.hpp>
#include <attnlab/kernels/cuda/input_dot_gradients.hpp>
#include <attnlab/kernels/cuda/input_dots.hpp>
#include <attnlab/kernels/cuda/linear.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>

/// \file
/// Products of the layer's input x with what is learned for it: W x of a head_matrix, D numbers a head, and w . x of a head_map, one. One matrix product for all tokens and
/// heads makes them, one their gradients by x, and one those by the parameter, where token by token each head would read all of x and w again; of few a token, a kernel each way.

namespace attnlab::gpu {

struct for_projections;

template <class Policy, class P>
inline constexpr bool is_head_map = [] {
    if constexpr (requires { P::size; }) return Policy::has_input_products && P::size == expr::length::model;
    else return false;
}();
/// Whether a parameter is read through its products.
template <class Policy, class P>
inline constexpr bool is_multiplied = requires { typename P::matrix_tag; } || is_head_map<Policy, P>;

/// Those of all parameters: (B, T, H numbers), null for parameters that are read themselves.
template <class Policy>
struct input_products {
    static constexpr bool any = Policy::has_projections || Policy::has_input_products;
    static constexpr std::size_t room = Policy::parameter_count + 1;
    std::array<float const*, room> values{};
    std::array<float*, room> gradients{};   ///< added to
    std::array<index_t, room> of_head{};
    index_t heads = 0;

    /// Pointers to those of a head of a token, which must live as long as the row is used.
    struct of_row {
        std::array<float const*, room> values{};
        std::array<float*, room> gradients{};
    };
    constexpr void look(row_point<float>& r, of_row& own, index_t token, index_t h) const {
        if constexpr (any) {
            for (std::size_t k = 0; k < Policy::parameter_count; ++k) {
                index_t const at = (token * heads + h) * of_head[k];
                own.values[k] = values[k] ? values[k] + at : nullptr;
                own.gradients[k] = gradients[k] ? gradients[k] + at : nullptr;
            }
            r.projections = own.values.data(), r.d_projections = own.gradients.data();
        }
    }
};

/// `body(i, numbers)` for each multiplied parameter i, of `numbers` a head.
template <class Policy, class Body>
void each_multiplied(head_sizes n, Body body) {
    std::size_t i = 0;
    std::apply(
        [&]<class... P>(P const&...) {
            [[maybe_unused]] auto const visit = [&]<class M>(std::type_identity<M>) {
                if constexpr (is_multiplied<Policy, M>) body(i, is_head_map<Policy, M> ? index_t{1} : n.head_size);
                ++i;
            };
            (visit(std::type_identity<P>{}), ...);
        },
        Policy::parameters);
}

/// What forward has made of them.
template <class Policy>
input_products<Policy> products_of(attention_problem<float> const& p, attention_saved<float> const& saved) {
    input_products<Policy> out;
    out.heads = p.H;
    each_multiplied<Policy>(p.sizes(), [&](std::size_t i, index_t numbers) { out.values[i] = saved.projections[i].data(), out.of_head[i] = numbers; });
    return out;
}
/// `body(x)`, x as products read it.
template <class Body>
void with_input(attention_problem<float> const& p, Body body) {
    p.rounded_input ? body(p.rounded_input) : body(p.input);
}
struct rounded_map;
/// Parameter i, of `out` rows, as a factor of x's type.
template <class X, class Device>
view<X const, 2> map_as(Device device, attention_problem<float> const& p, std::size_t i, index_t out) {
    return factor<rounded_map, X>(device, view<float const, 2>(p.parameters[i], {out, p.width}));
}
/// Makes them, into `saved`.
template <class Policy, class Device>
void multiply_input(Device device, attention_problem<float> const& p, attention_saved<float>& saved) {
    if constexpr (input_products<Policy>::any) {
        saved.projections.resize(Policy::parameter_count);
        index_t const n = p.B * p.T;
        each_multiplied<Policy>(p.sizes(), [&](std::size_t i, index_t numbers) {
            index_t const out = p.H * numbers;
            saved.projections[i].resize({p.B, p.T, out});
            with_input(p, [&]<class X>(X const* x) {
                if (multiply_few(device, x, p.parameters[i], saved.projections[i].data(), n, p.width, out)) return;
                linear_forward(device, view<X const, 2>(x, {n, p.width}), map_as<X>(device, p, i, out), static_cast<float const*>(nullptr), view<float, 2>(saved.projections[i].data(), {n, out}));
            });
        });
    }
}
/// With room for their gradients, zero.
template <class Policy, class Device>
input_products<Policy> with_gradients(Device device, attention_problem<float> const& p, attention_saved<float> const& saved) {
    auto out = products_of<Policy>(p, saved);
    if constexpr (input_products<Policy>::any) {
        index_t const tokens = p.B * p.T * p.H;
        auto const in_fours = [](index_t n) { return (n + 3) / 4 * 4; };   // each array begins on sixteen bytes
        index_t size = 0;
        each_multiplied<Policy>(p.sizes(), [&](std::size_t, index_t numbers) { size += in_fours(tokens * numbers); });
        float* next = scratch<for_projections, float>(device, size);
        fill_zero(device, next, size);
        each_multiplied<Policy>(p.sizes(), [&](std::size_t i, index_t numbers) { out.gradients[i] = next, next += in_fours(tokens * numbers); });
    }
    return out;
}
/// From those, gradients by the parameters and by x: these are added to where rows wrote some, else assigned.
template <class Policy, class Device>
void back_through_products(Device device, attention_problem<float> const& p, input_products<Policy> const& products, attention_gradients<float> const& gradients) {
    bool written = Policy::rows_read_input;
    each_multiplied<Policy>(p.sizes(), [&](std::size_t i, index_t numbers) {
        index_t const n = p.B * p.T, out = p.H * numbers, in = p.width;
        bool const add = std::exchange(written, true);
        auto const run = [&]<class X, class D>(X const* x, D* dx) {
            if (add_few(device, x, p.parameters[i], products.gradients[i], dx, add, gradients.parameters[i], n, in, out)) return;
            linear_backward(device, view<float const, 2>(products.gradients[i], {n, out}), view<X const, 2>(x, {n, in}), map_as<X>(device, p, i, out), dx,
                            view<float, 2>(gradients.parameters[i], {out, in}), nullptr, add ? 1.0f : 0.0f);
        };
        if (!p.rounded_input) return run(p.input, gradients.input);
        if constexpr (Policy::rows_read_input) run(p.rounded_input, gradients.input);
        else run(p.rounded_input, gradients.rounded_input);
    });
}

}  // namespace attnlab::gpu
