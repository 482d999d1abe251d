#pragma once
#include <array>

#include <attnlab/kernels/cuda/emulated_products.hpp>
#include <attnlab/kernels/cuda/shared_rows.hpp>
#ifdef __CUDACC__
#include <attnlab/kernels/cuda/device_products.hpp>
#include <attnlab/kernels/cuda/warpgroup_products.hpp>
#endif

/// \file
/// The products of attention's tiles: rows by rows, and fragments by rows. A warp multiplies its own 16 rows, or, where rows lie in slabs, four warps
/// multiply 64 together while they go on: what they make is there after `settle`.

namespace attnlab::gpu {

/// Scores of a warp's 16 tokens with `Columns` others: fragment n holds columns 8 n to 8 n + 7.
template <class Warp, int Columns>
using score_fragments = std::array<fragment_c<Warp>, Columns / 8>;

/// Waits for all products that this warp has part in; `c` are what they made.
template <class Rows, class Warp, std::size_t... N>
constexpr void settle([[maybe_unused]] Warp const& w, [[maybe_unused]] std::array<fragment_c<Warp>, N>&... c) {
    if constexpr (Rows::in_slabs) {
        wait_for_products(w);
        (keep_after(c), ...);
    }
}

/// c = rows a0 .. a0 + 16 of `a` times rows b0, b0 + 1, ... of `b`; `channels` of D are not padding. Where D is 0 they are padded to 64.
template <class Products, int D, int Columns, class Warp, class Rows>
constexpr void multiply_rows(Warp const& w, [[maybe_unused]] int channels, Rows const& a, int a0, Rows const& b, int b0, score_fragments<Warp, Columns>& c) {
    if constexpr (Rows::in_slabs) {
        auto const add_slab = [&](int k, bool onto) {
            unrolled<Rows::slab / 16>([&](int step) {
                multiply_warpgroup(w, c, descriptor_of_rows(a, a.rows() > 64 ? a0 / 64 * 64 : 0, k, step), descriptor_of_rows(b, b0, k, step), onto || step > 0);
            });
        };
        if constexpr (D > 0) {
            begin_products(w);
            for (int k = 0; k < D; k += Rows::slab) add_slab(k, k > 0);
            commit_products(w);
        } else {   // a loop while the kernel runs: what goes round in it ptxas knows only when it has been waited for
            for (int k = 0; k < channels; k += Rows::slab) {
                begin_products(w);
                add_slab(k, k > 0);
                commit_products(w);
                settle<Rows>(w, c);
            }
        }
    } else {
        int const stride = a.stride();
        for (auto& f : c) clear<Warp>(f);
        auto const add = [&](int k) {
            auto const left = load_a(w, Products{}, a.data(), stride, a0, k);
            unrolled<Columns / 16>([&](int n) {
                auto const right = load_b(w, Products{}, b.data(), stride, b0 + 16 * n, k);
                multiply_add(w, Products{}, c[static_cast<std::size_t>(2 * n)], left, right[0]);
                multiply_add(w, Products{}, c[static_cast<std::size_t>(2 * n + 1)], left, right[1]);
            });
        };
        if constexpr (Products::written_out && D > 0)
            unrolled<D / 16>([&](int k) { add(16 * k); });
        else if constexpr (Products::written_out)
            for (int k = 0; k < channels; k += 64) unrolled<4>([&](int step) { add(k + 16 * step); });
        else
            for (int k = 0; k < channels; k += 16) add(k);
    }
}

/// c += x b: x in fragments (16 x Columns), rows b0, b0 + 1, ... of b, of whose channels those from c0 on are meant.
template <class Products, int Columns, std::size_t Out, class Warp, class Rows>
constexpr void multiply_fragments(Warp const& w, score_fragments<Warp, Columns> const& x, Rows const& b, int b0, int c0, std::array<fragment_c<Warp>, Out>& c) {
    if constexpr (Rows::in_slabs) {
        std::array<fragment_a<Warp, Products>, Columns / 16> left;
        unrolled<Columns / 16>([&](int k) {
            auto const i = static_cast<std::size_t>(k);
            left[i] = as_a<Products>(w, x[2 * i], x[2 * i + 1]);
        });
        begin_products(w);
        unrolled<static_cast<int>(Out) / 8>([&](int n) {
            unrolled<Columns / 16>([&](int k) {
                multiply_warpgroup(w, c, 8 * n, left[static_cast<std::size_t>(k)], descriptor_of_columns(b, b0 + 16 * k, c0 + Rows::slab * n));
            });
        });
        commit_products(w);
    } else {
        unrolled<Columns / 16>([&](int k) {
            auto const left = as_a<Products>(w, x[static_cast<std::size_t>(2 * k)], x[static_cast<std::size_t>(2 * k + 1)]);
            unrolled<static_cast<int>(Out) / 2>([&](int n) {
                auto const right = load_b_rows(w, Products{}, b.data(), b.stride(), b0 + 16 * k, c0 + 16 * n);
                multiply_add(w, Products{}, c[static_cast<std::size_t>(2 * n)], left, right[0]);
                multiply_add(w, Products{}, c[static_cast<std::size_t>(2 * n + 1)], left, right[1]);
            });
        });
    }
}

}  // namespace attnlab::gpu
