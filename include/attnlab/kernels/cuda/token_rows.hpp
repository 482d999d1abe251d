#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <vector>

#include <attnlab/kernels/cuda/column_sums.hpp>
#include <attnlab/kernels/cuda/gradient_copies.hpp>
#include <attnlab/kernels/cuda/input_products.hpp>
#include <attnlab/kernels/cuda/rotations.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/cuda/tiles.hpp>

/// \file
/// What a policy does token by token: four heads of a token a warp, 8 lanes each, where they lie so, else one. A block walks the tokens of its part, so that
/// gradients of parameters are sums in a fixed order, and each head belongs to one group of lanes of a block, so that they need no atomics.

namespace attnlab::gpu {

/// The problem as kernels take it along.
template <class Policy>
tile_problem<Policy> portable(attention_problem<float> const& p) {
    tile_problem<Policy> out;
    static_cast<attention_context&>(out) = p;
    out.B = p.B, out.H = p.H, out.T = p.T, out.D = p.D, out.H_kv = p.H_kv, out.width = p.width, out.scale = p.scale;
    out.q = p.q, out.k = p.k, out.v = p.v, out.input = p.input;
    out.parameters = {};
    std::copy(p.parameters.begin(), p.parameters.end(), out.parameters.begin());
    return out;
}

/// How a warp has rows: one each in `Lanes` lanes, N adjacent channels a lane at once, of heads of `Size` channels, or of any where it is 0.
template <int Lanes, int N, int Size>
struct row_form {
    static constexpr int lanes = Lanes, rows = warp_size / Lanes, adjacent = N;
    static constexpr bool in_registers = Size > 0;   ///< gradients of rows
    static constexpr index_t head_size(index_t D) { return Size > 0 ? Size : D; }
    template <class Group>
    using lanes_of = token_lanes<Group, N, Size>;
};
/// For what begins on sixteen bytes and heads of which four are a warp's. Heads of 64 whose rows lie rounded have a form of their own, in which addresses are constants: a third of the instructions.
template <int Size>
using four_rows = row_form<8, 4, Size>;
using one_row = row_form<warp_size, 1, 0>;

/// How the tokens, and the heads of each, are shared.
struct token_parts {
    static constexpr int most_warps = 8;
    static constexpr index_t most_floats = 24 * 1024;   ///< of scratch memory of a block, which may want gradients' 48 KiB beside it (token_kernel::near)
    index_t tokens = 0, length = 0, count = 0;   ///< of a part; how many parts
    int warps = 1, groups = 1;                   ///< of a block; groups of lanes share the heads

    token_parts() = default;
    /// `rows` of a warp divide the heads, and so do those of a block, which has as many warps as that allows (3 for 12 heads), or one where `alone`: none waits
    /// for another. Parts are so many that all have about `all_warps` warps. \param scratch  floats that a group of lanes takes
    token_parts(index_t n, index_t heads, int rows, index_t scratch, bool alone, index_t all_warps) : tokens(n) {
        for (int w = 2; w <= most_warps && !alone; ++w)
            if (heads % (rows * w) == 0 && rows * w * scratch <= most_floats) warps = w;
        groups = rows * warps;
        length = (n * warps + all_warps - 1) / all_warps;
        count = length > 0 ? (n + length - 1) / length : 0;
    }
};

/// Where rows lie.
struct row_layout {
    void const* data;
    index_t strides;   ///< all that divides each of them divides this
    bool rounded;
    template <class T>
    row_layout(attnlab::heads<T> const& x) : data(x.data), strides(x.batch | x.head | x.position), rounded(std::is_same_v<std::remove_const_t<T>, bfloat16>) {}
    template <class S>
    row_layout(stored_heads<S> const& x) : row_layout(x.visit([](auto const& rows) { return row_layout(rows); })) {}
};

/// `visitor(lanes, row, scratch, b, h, t)` for the heads of each token of a part. A visitor says what formula it has, how many rows of scratch memory it
/// takes beside those that rotations turn, and which rows in memory it reads and writes.
template <class Policy, class Visitor, class Form>
struct token_kernel {
    static constexpr int warps = token_parts::most_warps;
    static constexpr int resident = 24 / warps;   ///< 24 warps of a multiprocessor: enough to wait for memory, of 80 registers
    tile_problem<Policy> p;
    index_t heads;
    token_parts parts;
    Visitor visitor;
    input_products<Policy> products;
    float const* angles;              ///< (T, rotations, D)
    gradient_copies<Policy> copies;   ///< one a part, on the way back: assigned where they are `near`, else added to
    float* d_input;                   ///< (B, T, C), or null

    int warps_now() const { return parts.warps; }
    /// Rows of scratch memory of a group; 8 numbers more, so that in a warp four groups' lanes meet in no bank.
    static constexpr index_t gradient_rows = Form::in_registers ? 0 : Visitor::gradient_rows;
    static constexpr index_t scratch_of(index_t D) { return (gradient_rows + rows_to_turn_in<typename Visitor::formula_type>(D, Form::adjacent, Form::lanes * Form::adjacent)) * Form::head_size(D) + Form::lanes; }
    constexpr index_t scratch_floats() const { return scratch_of(p.D); }
    /// Whether a part gathers its gradients in shared memory.
    constexpr bool near() const { return copies.numbers > 0 && copies.numbers <= 12 * 1024; }
    constexpr index_t near_floats() const { return near() ? copies.numbers : 0; }
    /// That many floats in pieces of sixteen bytes: no more, or two blocks of 114 KiB are one too many.
    static constexpr index_t sixteens(index_t floats) { return (floats + 3) / 4; }
    constexpr index_t shared_bytes() const { return (sixteens(parts.groups * scratch_floats()) + sixteens(near_floats())) * 16; }
    template <class Block>
    constexpr void operator()(Block& block, index_t part) const {
        auto const room = block.template shared<float>(parts.groups * scratch_floats()), sums = block.template shared<float>(near_floats());
        block.template each_group<Form::lanes>([&]<class Group>(Group const& g) {
            // Divisions of 64 bits would be a part of this kernel that shows.
            auto const narrow = [](index_t n) { return static_cast<std::uint32_t>(n); };
            std::uint32_t const T = narrow(p.T), begin = narrow(part) * narrow(parts.length), beyond = begin + narrow(parts.length),
                                end = beyond < narrow(parts.tokens) ? beyond : narrow(parts.tokens), first_b = begin / T, first_t = begin % T;
            float* const scratch = room.writes(g, g.index() * scratch_floats(), scratch_floats());
            auto mine = copies;
            if (near()) {
                mine.all = sums.writes(g, 0, 0);
                each_number(g, [&](index_t at, index_t n) { sums.writes(g, at, n); }, [&](index_t i) { mine.all[i] = 0; });
                g.sync();
            }
            each_head(g, heads, [&](index_t h) {
                auto const values = attnlab::detail::of_head<Policy>(p.parameters, p.sizes(), h);
                auto const gradients = mine.at(h, near() ? 0 : part);
                std::uint32_t b = first_b, t = first_t;
                for (std::uint32_t bt = begin; bt < end; ++bt) {
                    using lanes = typename Form::template lanes_of<Group>;
                    token_row<lanes> row;   // without braces, for which nvcc clears it in memory, where it then stays
                    static_cast<row_point<float>&>(row) = p.template row<Policy>(b, h, t, values.data());
                    row.heads = heads, row.head_size = Form::head_size(p.D);
                    row.scratch = scratch + gradient_rows * row.head_size;
                    if constexpr (expr::rotations_of<Policy>::count > 0) row.angles = angles + t * expr::rotations_of<Policy>::count * p.D;
                    typename input_products<Policy>::of_row own;
                    products.look(row, own, bt, h);
                    row.gradients = gradients.data();
                    row.d_input = d_input ? d_input + bt * row.width : nullptr;
                    visitor(lanes{}, row, scratch, b, h, t);
                    g.sync();
                    if (++t == T) t = 0, ++b;
                }
            });
            if (near()) each_number(g, [](index_t, index_t) {}, [&](index_t i) { copies.all[part * copies.numbers + i] = mine.all[i]; });
        });
    }

private:
    /// `body(h)` for the heads that a group has of n: a loop that is the same for all groups of a warp.
    template <class Group, class Body>
    constexpr void each_head(Group const& g, index_t n, Body body) const {
        for (index_t first = 0; first < n; first += parts.groups) body(first + g.index());
    }
    /// `row(at, n)`, then `number(i)` for each of its numbers, a lane a number: the gradients of the heads that a group has.
    template <class Group, class Row, class Number>
    constexpr void each_number(Group const& g, Row row, Number number) const {
        for (std::size_t k = 0; k < Policy::parameter_count; ++k)
            each_head(g, p.H, [&](index_t h) {
                index_t const at = copies.offset[k] + h * copies.of_head[k], n = copies.of_head[k];
                row(at, n);
                for (index_t first = 0; first < n; first += Group::size)
                    Group::visit([&](int lane, int) {
                        if (first + lane < n) number(at + first + lane);
                    });
            });
    }
};

/// Whether all that the policy's programs touch begins on sixteen bytes, rows in memory among it.
template <class Policy, std::size_t N>
bool on_sixteen_bytes(attention_problem<float> const& p, std::array<row_layout, N> const& rows) {
    index_t sizes = p.D | p.width;
    std::vector<void const*> arrays(p.parameters.begin(), p.parameters.end());
    arrays.push_back(p.input);
    for (row_layout const& x : rows) sizes |= x.strides, arrays.push_back(x.data);
    return takes_wide<4>(sizes, arrays);
}
/// What walks the rows of so many heads.
template <class Visitor>
struct of_heads {
    index_t heads;
    Visitor visitor;
};
template <class Visitor>
of_heads(index_t, Visitor) -> of_heads<Visitor>;
/// `run(Form{}, parts)`: the form of rows by where all that visitors and the policy's programs touch begins, and parts that have `all_warps` warps. Where heads add to
/// one gradient by x, a warp walks them.
template <class Policy, class Run, class... Visitor>
void with_rows_of_tokens(attention_problem<float> const& p, index_t all_warps, Run run, of_heads<Visitor> const&... of) {
    auto const with = [&]<class Form>(Form form) {
        index_t scratch = 0, shared = 0;   // heads that divide those of all
        ((scratch = std::max(scratch, token_kernel<Policy, Visitor, Form>::scratch_of(p.D)), shared = std::gcd(shared, of.heads)), ...);
        run(form, token_parts(p.B * p.T, shared, Form::rows, scratch, Policy::adds_to_input, all_warps));
    };
    if constexpr (Policy::adds_to_input) {
        with(one_row{});
    } else {
        auto const are_rounded = [](auto const& rows) { return std::all_of(rows.begin(), rows.end(), [](row_layout const& x) { return x.rounded; }); };
        bool const four = ((of.heads % 4 == 0 && on_sixteen_bytes<Policy>(p, of.visitor.rows())) && ...);
        if (!four) with(one_row{});
        else if (p.D == 64 && (are_rounded(of.visitor.rows()) && ...)) with(four_rows<64>{});
        else with(four_rows<0>{});
    }
}
/// How many warps walk what nobody sums: some waves of blocks of an H100, of which each has tokens enough to be worth its beginning.
inline constexpr index_t warps_of_walk = 1 << 14;
/// Every token's heads on the way forward.
template <class Policy, class Device, class... Visitor>
void each_token(Device device, attention_problem<float> const& p, attention_saved<float> const& saved, of_heads<Visitor> const&... of) {
    with_rows_of_tokens<Policy>(p, warps_of_walk, [&]<class Form>(Form, token_parts const& parts) {
        auto const kernel = [&]<class V>(of_heads<V> const& o) {
            return token_kernel<Policy, V, Form>{portable<Policy>(p), o.heads, parts, o.visitor, products_of<Policy>(p, saved), saved.angles.data(), {}, nullptr};
        };
        launch(device, joined(parts.count, kernel(of)...), parts.count * static_cast<index_t>(sizeof...(of)));
    }, of...);
}
template <class Visitor>
struct copies_of;
/// Whether several formulas read x: to its gradient, or to those of its products, they then add in turn, and not side by side.
template <class... Formula>
inline constexpr bool share_input = ((expr::mentions<expr::input_tag, Formula> || expr::mentions<expr::head_input_tag, Formula> ? 1 : 0) + ... + 0) > 1;
/// Every token's heads on the way back, with gradients of x and of parameters. Where formulas have such, parts have gradients of their own, which are written and read once more: they are
/// then as few as an H100 has at once.
template <class Policy, class Device, class... Visitor>
void each_token_back(Device device, attention_problem<float> const& p, attention_saved<float> const& saved, input_products<Policy> const& products,
                     attention_gradients<float> const& gradients, of_heads<Visitor> const&... of) {
    if constexpr (share_input<typename Visitor::formula_type...>) {
        (each_token_back<Policy>(device, p, saved, products, gradients, of), ...);
    } else {
        bool const gathers = ((gradient_copies<Policy>::template of<typename Visitor::formula_type>(p.sizes(), 1).numbers > 0) || ...);
        with_rows_of_tokens<Policy>(p, gathers ? multiprocessors * 24 : warps_of_walk, [&]<class Form>(Form, token_parts const& parts) {
            auto const kernel = [&]<class V>(of_heads<V> const& o) {
                auto const copies = room_for_copies<Policy, typename V::formula_type, copies_of<V>>(device, p.sizes(), parts.count);
                token_kernel<Policy, V, Form> const made{portable<Policy>(p), o.heads, parts, o.visitor, products, saved.angles.data(), copies, gradients.input};
                if (!made.near() && copies.size() > 0) fill_zero(device, copies.all, copies.size());
                return made;
            };
            std::tuple const kernels{kernel(of)...};
            std::apply([&](auto const&... k) {
                launch(device, joined(parts.count, k...), parts.count * static_cast<index_t>(sizeof...(of)));
                (take_gradients<Policy>(device, k.copies, p.sizes(), gradients.parameters), ...);
            }, kernels);
        }, of...);
    }
}

}  // namespace attnlab::gpu
