#pragma once
#include <algorithm>
#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include <attnlab/attention/problem.hpp>
#include <attnlab/core/device.hpp>
#include <attnlab/kernels/cuda/adjoint_rows.hpp>
#include <attnlab/kernels/cuda/attention_backward.hpp>
#include <attnlab/kernels/cuda/attention_forward.hpp>
#include <attnlab/kernels/cuda/attention_statistics.hpp>
#include <attnlab/kernels/cuda/pack.hpp>
#include <attnlab/kernels/cuda/token_joints.hpp>
#include <attnlab/kernels/cuda/token_numbers.hpp>

/// \file
/// Attention on a GPU, for any policy: token by token what joints do with rows (kernels/cuda/token_joints.hpp), and tiles on tensor cores
/// (attention_forward.hpp, attention_backward.hpp), in float or, where the problem says so, in bfloat16 with sums in float.

namespace attnlab {

namespace gpu {

struct for_dy;

#ifndef ATTNLAB_CUDA_HEAD_SIZES   // CMake has an option of this name
#define ATTNLAB_CUDA_HEAD_SIZES 64, 128, 256
#endif
/// The head sizes that kernels are compiled for, in order; others are padded to the next one.
template <class Device>
struct compiled_head_sizes {
    using type = std::integer_sequence<int, ATTNLAB_CUDA_HEAD_SIZES>;
};
template <>
struct compiled_head_sizes<emulated_cuda> {   // tests compile many policies: the sizes have a test of their own
    using type = std::integer_sequence<int, 64>;
};

/// `body(std::integral_constant<int, S>{})` for the head size S whose kernels serve heads of D channels. \throws error for larger heads
template <class Device, class Body>
void with_head_size(index_t D, Body body) {
    [&]<int... S>(std::integer_sequence<int, S...>) {
        bool const done = ((D <= S && (body(std::integral_constant<int, S>{}), true)) || ...);
        require(done, "attention on ", Device::name, ": heads of ", D, " channels: expected at most ", std::max({S...}),
                D > 256 ? "" : ", for which this program was compiled (CMake's ATTNLAB_CUDA_HEAD_SIZES)");
    }(typename compiled_head_sizes<Device>::type{});
}
/// `body(Products{})` for the products asked for.
template <class Body>
void with_products(attention_problem<float> const& p, Body body) {
    p.products == precision::bfloat16 ? body(bfloat16_products{}) : body(float_products{});
}
/// `body(Products{}, std::integral_constant<int, S>{})`: both.
template <class Device, class Body>
void with_tiles(attention_problem<float> const& p, Body body) {
    with_head_size<Device>(p.D, [&](auto size) { with_products(p, [&](auto products) { body(products, size); }); });
}

template <class Policy>
output_rows<Policy> rows_of_output(attention_problem<float> const& p, attention_saved<float> const& saved) {
    return {saved.core.rows(p.D), p.q, saved.reference.data(), saved.sum.data(), p.H, p.T};
}

/// `run(make(which)...)` for the policy's prologues, each a std::integral_constant.
template <class Policy, class Run, class Make>
void each_prologue(Run run, Make make) {
    auto const one = [&]<prologue Which, bool There>(std::integral_constant<prologue, Which> of, std::bool_constant<There>) {
        if constexpr (There) return std::tuple(make(of));
        else return std::tuple();
    };
    if constexpr (Policy::has_prologue)
        std::apply(run, std::tuple_cat(one(std::integral_constant<prologue, prologue::query>{}, std::bool_constant<Policy::has_query>{}),
                                       one(std::integral_constant<prologue, prologue::key>{}, std::bool_constant<Policy::has_key>{}),
                                       one(std::integral_constant<prologue, prologue::value>{}, std::bool_constant<Policy::has_value>{})));
}

/// Products of x, q, k, v as the scores see them, token numbers: into `saved`. Returns the problem as the tiles see it.
template <class Policy, class Device>
attention_problem<float> before_tiles(Device device, attention_problem<float> const& given, attention_saved<float>& saved, bool rounds_core) {
    expr::check_rotations_of<Policy>(given.D);
    saved.template resize<Policy>(given, rounds_core);
    multiply_input<Policy>(device, given, saved);
    make_angles<Policy>(device, given, saved);
    each_prologue<Policy>(
        [&](auto const&... of) { each_token<Policy>(device, given, saved, of...); },
        [&]<prologue Which>(std::integral_constant<prologue, Which>) {
            return of_heads{heads_of<Which>(given), prologue_forward<Policy, Which>{which<Which>(given.q, given.k, given.v), which<Which>(saved.q, saved.k, saved.v).rows(given.D)}};
        });
    auto const p = saved.template after_prologue<Policy>(given);
    if constexpr (Policy::has_tokens) make_token_numbers<Policy>(device, p, saved);
    return p;
}

}  // namespace gpu

/// y (B, H, T, D) by the policy; keeps in `saved` what backward needs.
template <class Policy, cuda_device Device>
void attention_forward(Device device, attention_problem<float> const& given, attention_saved<float>& saved, stored_heads<float> y) {
    auto const p = gpu::before_tiles<Policy>(device, given, saved, y.is_rounded());
    gpu::with_tiles<Device>(p, [&]<class Products, int D>(Products, std::integral_constant<int, D>) {
        stored_heads<float> to = y;
        if constexpr (Policy::has_output) to = saved.core.rows(p.D);
        auto const output = gpu::joined_output<Policy>::of(p, saved, y, D);
        gpu::tile_inputs<Products> in(p, D);
        in.pack_into(device, saved.packed);
        gpu::forward_tiles<Policy, Products, D> const tiles{gpu::portable<Policy>(p), in.q.source, in.k.source, in.v.source, in.own_scale, to,
                                                            Policy::one_pass ? heads<float>{} : merged_heads(*saved.by_sum, p.D),
                                                            saved.reference.data(), saved.sum.data(), saved.tokens.data(), output};
        gpu::launch(device, tiles, tiles.blocks());
        if constexpr (Policy::has_output)
            if (!output.on) gpu::each_token<Policy>(device, p, saved, gpu::of_heads{p.H, gpu::output_forward<Policy>{gpu::rows_of_output<Policy>(p, saved), y}});
    });
}

namespace gpu {
struct for_slot;
struct for_share;
struct for_keys;
}  // namespace gpu

/// The same, and statistics of the weights.
template <class Policy, cuda_device Device>
void attention_forward(Device device, attention_problem<float> const& given, attention_saved<float>& saved, stored_heads<float> y, attention_statistics<float>& statistics) {
    attention_forward<Policy>(device, given, saved, y);
    statistics.resize(given.B, given.H, given.T);
    auto const p = saved.template after_prologue<Policy>(given);
    index_t const rows = p.B * p.H * p.T;
    float *slot = nullptr, *const share = gpu::scratch<gpu::for_share, float>(device, rows);
    if constexpr (Policy::has_slot) {
        slot = gpu::scratch<gpu::for_slot, float>(device, rows);
        gpu::each_token<Policy>(device, p, saved, gpu::of_heads{p.H, gpu::slot_rows<Policy>{gpu::rows_of_output<Policy>(p, saved), slot}});
    }
    gpu::launch_rows(device, (rows + 31) / 32, gpu::share_rows<Policy>{gpu::portable<Policy>(p), saved.reference.data(), saved.sum.data(), slot, share});
    auto const* const keys = gpu::upload<gpu::for_keys>(device, statistics.keys.data(), static_cast<index_t>(statistics.keys.size()));
    int D = 0;
    gpu::with_head_size<Device>(p.D, [&](int size) { D = size; });
    gpu::with_products(p, [&]<class Products>(Products) {
        gpu::tile_inputs<Products> in(p, D);
        in.packed_in(saved.packed.data());
        auto const run = [&]<bool ByKeys>(std::bool_constant<ByKeys>) {
            gpu::statistics_tiles<Policy, Products, ByKeys> const tiles{gpu::portable<Policy>(p), in.q.source, in.k.source, D, in.own_scale, saved.reference.data(), saved.sum.data(), share, saved.tokens.data(),
                                                                          statistics.column_sums.data(), statistics.entropy.data(), statistics.largest_score.data(),
                                                                          keys, static_cast<index_t>(statistics.keys.size()), statistics.columns.data()};
            gpu::launch(device, tiles, tiles.blocks());
        };
        run(std::false_type{});
        run(std::true_type{});
    });
}

namespace gpu {

struct for_weighted;
struct for_nobody;
struct for_log_normalizer;
struct for_row_numbers;
struct for_token_numbers;

/// Room for the gradients of the weighted values, rounded as tiles would.
template <class Device>
stored_heads<float> room_for_weighted(Device device, attention_problem<float> const& p) {
    auto const room = [&]<class T>(std::type_identity<T>) {
        return merged_heads(view<T, 3>(scratch<for_weighted, T>(device, p.B * p.T * p.H * p.D), {p.B, p.T, p.H * p.D}), p.D);
    };
    if (p.products == precision::bfloat16) return room(std::type_identity<bfloat16>{});
    return room(std::type_identity<float>{});
}
/// Whether backward's tiles may begin with what comes before them (rows_back.hpp): all rows are stored as products want them, of as many channels as a kernel is compiled for.
template <class Policy, class Device>
bool tiles_make_rows(attention_problem<float> const& p, std::vector<stored_heads<float const>> const& rows) {
    if constexpr (rows_back<Policy, float_products, 64>::can) {
        bool fits = false;
        with_head_size<Device>(p.D, [&](int size) { fits = size == p.D; });
        for (auto const& x : rows) fits = fits && x.is_rounded() == (p.products == precision::bfloat16) && on_sixteen_bytes<Policy>(p, std::array{row_layout(x)});
        return fits;
    } else {
        return false;
    }
}

/// Gradients by what a prologue made become gradients by what it was given.
template <class Policy, class Device>
void back_through_prologue(Device device, attention_problem<float> const& given, attention_saved<float> const& saved, input_products<Policy> const& products, attention_gradients<float> const& g) {
    each_prologue<Policy>(
        [&](auto const&... of) { each_token_back<Policy>(device, given, saved, products, g, of...); },
        [&]<prologue Which>(std::integral_constant<prologue, Which>) {
            return of_heads{heads_of<Which>(given), prologue_backward<Policy, Which>{which<Which>(given.q, given.k, given.v), which<Which>(g.q, g.k, g.v)}};
        });
}

}  // namespace gpu

/// Gradients from dy; y is what forward returned. Either may be rounded.
template <class Policy, cuda_device Device>
void attention_backward(Device device, attention_problem<float> const& given, attention_saved<float> const& saved, stored_heads<float const> y,
                        stored_heads<float const> dy, attention_gradients<float> const& gradients) {
    auto const p = saved.template after_prologue<Policy>(given);
    index_t const rows = p.B * p.H * p.T;
    auto const products = gpu::with_gradients<Policy>(device, p, saved);
    if (Policy::rows_read_input && gradients.input) gpu::fill_zero(device, gradients.input, p.B * p.T * p.width);
    float* const d_log_normalizer = Policy::one_pass ? nullptr : gpu::scratch<gpu::for_log_normalizer, float>(device, rows);
    index_t const padded_rows = p.B * p.H * gpu::padded_length(p.T);
    auto* const records = gpu::scratch<gpu::for_row_numbers, gpu::row_record>(device, padded_rows);
    stored_heads<float const> d_weighted = dy, weighted = y;
    stored_heads<float> to_weighted;
    std::vector<stored_heads<float const>> all_rows{dy};
    if constexpr (Policy::has_output) {
        d_weighted = to_weighted = gpu::room_for_weighted(device, p), weighted = saved.core.rows(p.D);
        if (Policy::output_reads_query) all_rows.insert(all_rows.end(), {p.q, gradients.q});
    }
    all_rows.push_back(weighted);
    bool const by_tiles = gpu::tiles_make_rows<Policy, Device>(p, all_rows);
    if constexpr (Policy::has_output)
        if (!by_tiles)
            gpu::each_token_back<Policy>(device, p, saved, products, gradients,
                                         gpu::of_heads{p.H, gpu::output_backward<Policy>{gpu::rows_of_output<Policy>(p, saved), dy, to_weighted, gradients.q, d_log_normalizer, records, p}});
    if constexpr (!Policy::one_pass || !Policy::has_output) {
        auto const make_records = [&]<class A, class B>(heads<A> from, heads<B> of) {
            index_t const strides = from.batch | from.head | from.position | of.batch | of.head | of.position;
            gpu::with_width(p.D | strides, {from.data, of.data}, [&](auto n) {
                using program = gpu::adjoint_rows<Policy, n, A, B>;
                gpu::launch_rows(device, padded_rows / program::rows,
                                 program{gpu::portable<Policy>(p), from, of, saved.reference.data(), saved.sum.data(), d_log_normalizer, records,
                                         gpu::divisor(gpu::padded_length(p.T) / program::rows), gpu::divisor(p.H)});
            });
        };
        if (!by_tiles)
            d_weighted.visit([&](auto from) {
                if constexpr (Policy::one_pass) weighted.visit([&](auto of) { make_records(from, of); });
                else make_records(from, merged_heads(view<float const, 3>(saved.by_sum), p.D));   // by_sum is not rounded
            });
    }

    gpu::with_tiles<Device>(p, [&]<class Products, int D>(Products, std::integral_constant<int, D>) {
        using queries = gpu::backward_queries<Policy, Products, D>;
        using keys = gpu::backward_keys<Policy, Products, D>;
        gpu::tile_inputs<Products> of(p, D);
        of.packed_in(saved.packed.data());
        gpu::tile_input<Products> upstream(d_weighted, p.H, p.T, p.D, D);
        upstream.pack_into(device, p.B, gpu::scratch<gpu::for_dy, typename Products::element>(device, upstream.elements(p.B)));
        gpu::backward_inputs<Policy, Products> const in{gpu::portable<Policy>(p), of.q.source, of.k.source, of.v.source, upstream.source, of.own_scale,
                                                        records, saved.tokens.data(), {}};
        using element = typename Products::element;
        using rows_before = gpu::rows_back<Policy, Products, D>;
        rows_before const before{gpu::rows_of<element>(weighted), gpu::rows_of<element>(p.q), gpu::rows_of<element>(dy), gpu::rows_of<element>(to_weighted),
                                 gpu::rows_of<element>(gradients.q), saved.reference.data(), saved.sum.data(), records, products, {}, gradients.input,
                                 Policy::has_output ? gpu::scratch<gpu::for_nobody, float>(device, p.B * p.H * rows_before::nobodys_size(p)) : nullptr};
        queries by_queries{in, gradients.q, nullptr, before, by_tiles};
        if constexpr (Policy::has_output)
            if (by_tiles) {
                using formula = typename decltype(by_queries.rows)::formula_type;
                by_queries.rows.copies = gpu::room_for_copies<Policy, formula, gpu::for_copies_by_tiles>(device, p.sizes(), p.B * by_queries.tiles() * queries::warps);
            }
        keys by_keys{in, gradients.k, gradients.v, nullptr};
        if constexpr (Policy::has_score) {
            auto& copies = by_queries.in.copies = gpu::room_for_copies<Policy, std::remove_const_t<decltype(Policy::score)>>(device, p.sizes(), p.B * by_queries.tiles() * queries::warps);
            if (copies.size() > 0) gpu::fill_zero(device, copies.all, copies.size());
        }
        if constexpr (Policy::has_tokens) {
            by_queries.d_query_tokens = gpu::scratch<gpu::for_token_numbers, float>(device, 2 * rows);
            by_keys.d_key_tokens = by_queries.d_query_tokens + rows;
            gpu::fill_zero(device, by_queries.d_query_tokens, 2 * rows);
        }
        gpu::launch(device, by_queries, by_queries.blocks());
        gpu::launch(device, by_keys, by_keys.blocks());
        if constexpr (Policy::has_output)
            if (by_tiles) gpu::take_gradients<Policy>(device, by_queries.rows.copies, p.sizes(), gradients.parameters);
        if constexpr (Policy::has_score) gpu::take_gradients<Policy>(device, by_queries.in.copies, p.sizes(), gradients.parameters);
        if constexpr (Policy::has_tokens) gpu::back_through_token_numbers<Policy>(device, p, saved, products, gradients, by_queries.d_query_tokens, by_keys.d_key_tokens);
    });
    gpu::back_through_prologue<Policy>(device, given, saved, products, gradients);
    gpu::back_through_products<Policy>(device, p, products, gradients);
}

}  // namespace attnlab
