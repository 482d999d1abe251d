#pragma once
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/input_products.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>

/// \file
/// Gradients of a policy's parameters in copies, one for each part of the work, that are added up in a fixed order: sums without atomics.

namespace attnlab::gpu {

struct for_copies;            ///< the purpose of memory
struct for_copies_by_tiles;   ///< of what is gathered while others are

/// Whether a formula's node reads the parameter P.
template <class P>
struct reads_parameter {
    template <class E>
    struct of : std::false_type {};
    template <class E>
        requires requires { typename E::learned_tag; }
    struct of<E> : std::bool_constant<E::name == P::name> {};
    template <class Table, class Bucket>
    struct of<expr::looked_up<Table, Bucket>> : std::bool_constant<Table::name == P::name> {};
};

/// Whether the gradient of the parameter P of a formula is gathered row by row: what is read through products has its gradient from there (input_products.hpp).
template <class Policy, class Formula, class P>
inline constexpr bool is_gathered = expr::any_part<reads_parameter<P>::template of, Formula>() && !is_multiplied<Policy, P>;
/// `body(std::type_identity<P>{}, k)` for each of them, parameter k.
template <class Policy, class Formula, class Body>
constexpr void each_gathered(Body body) {
    using all = std::remove_const_t<decltype(Policy::parameters)>;
    [&]<std::size_t... K>(std::index_sequence<K...>) {
        [[maybe_unused]] auto const visit = [&]<class P>(std::type_identity<P> p, std::size_t k) {
            if constexpr (is_gathered<Policy, Formula, P>) body(p, k);
        };
        (visit(std::type_identity<std::tuple_element_t<K, all>>{}, K), ...);
    }(std::make_index_sequence<Policy::parameter_count>{});
}

/// Each copy has all heads' gradients, of the parameters that a formula reads, one after the other: (copies, numbers). One that heads share has room for
/// each of them, since they are walked at once.
template <class Policy>
struct gradient_copies {
    float* all = nullptr;
    index_t copies = 0, numbers = 0;
    std::array<index_t, Policy::parameter_count + 1> offset{}, of_head{};   ///< of each parameter: where it begins, on sixteen bytes, and how many numbers a head has

    template <class Formula>
    static constexpr gradient_copies of(head_sizes n, index_t copies) {
        gradient_copies g;
        g.copies = copies;
        std::size_t i = 0;
        std::apply(
            [&]<class... P>(P const&... p) {
                ((g.offset[i] = g.numbers, g.of_head[i] = is_gathered<Policy, Formula, P> ? p.per_head(n) : 0, g.numbers += (n.heads * g.of_head[i] + 3) / 4 * 4, ++i), ...);
            },
            Policy::parameters);
        return g;
    }
    constexpr index_t size() const { return copies * numbers; }
    /// Where copy i has the gradients of head h.
    constexpr std::array<float*, Policy::parameter_count + 1> at(index_t h, index_t i) const {
        std::array<float*, Policy::parameter_count + 1> out{};
        for (std::size_t k = 0; k < Policy::parameter_count; ++k) out[k] = all + i * numbers + offset[k] + h * of_head[k];
        return out;
    }
};

/// Copies for parts of tokens, or of tiles.
template <class Policy, class Formula, class Purpose = for_copies, class Device>
gradient_copies<Policy> room_for_copies(Device device, head_sizes n, index_t count) {
    auto copies = gradient_copies<Policy>::template of<Formula>(n, count);
    copies.all = scratch<Purpose, float>(device, copies.size());
    return copies;
}
/// Adds all copies, in an order that depends on their number alone, to the parameters' gradients.
template <class Policy, class Device>
void take_gradients(Device device, gradient_copies<Policy> const& g, head_sizes n, std::vector<float*> const& to) {
    std::vector<bool> shared;
    std::apply([&]<class... P>(P const&...) { (shared.push_back(P::shared), ...); }, Policy::parameters);
    auto const columns = [&](std::size_t i) { return i < shared.size() ? (shared[i] ? 1 : n.heads) * g.of_head[i] : 0; };
    for (std::size_t i = 0; i < shared.size(); ++i) {
        if (columns(i) == 0) continue;
        float const* const from = g.all + g.offset[i];
        // Two that lie side by side, as a key and a value do, are one launch.
        if (columns(i + 1) == columns(i) && !shared[i] && !shared[i + 1] && g.offset[i + 1] == g.offset[i] + columns(i)) {
            launch_add_parts(device, from, {g.copies, g.numbers}, columns(i), to[i], to[i + 1]);
            ++i;
        } else {
            launch_add_parts(device, from, {g.copies, g.numbers, shared[i] ? n.heads : 1, g.of_head[i]}, columns(i), to[i]);
        }
    }
}

}  // namespace attnlab::gpu
