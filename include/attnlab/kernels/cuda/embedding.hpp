#pragma once
#include <algorithm>
#include <cassert>
#include <cstdint>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cuda/wide_rows.hpp>
#include <attnlab/kernels/cuda/scratch.hpp>
#include <attnlab/kernels/ids.hpp>

namespace attnlab {

namespace gpu {

struct uploaded_tokens;   // purposes of memory
struct token_order;
struct token_beginnings;

template <int N>
struct embedding_row {
    std::int32_t const* tokens;
    index_t times, c;
    float const *wte, *wpe;
    float* y;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t i) const {
        float const *const token = wte + tokens[i] * c, *const position = wpe + i % times * c;
        each_wide<N>(c, [&](index_t j) {
            auto x = load<Warp, N>(token + j, c - j);
            if (wpe) x += load<Warp, N>(position + j, c - j);
            store<Warp, N>(y + i * c + j, x, c - j);
        });
    }
};

/// Adds rows of dy to a row of a table: a warp has 32 N columns of a row of the table and walks all rows of dy that belong there, in order.
template <int N>
struct add_rows {
    std::int32_t const *order, *first;   ///< rows of dy, group by group, and where each group begins, and the end of the last
    std::int32_t const* tokens;
    index_t c;
    float const* dy;
    float* table;

    static constexpr index_t columns = N * warp_size;
    index_t chunks() const { return (c + columns - 1) / columns; }

    template <class Warp>
    constexpr void operator()(Warp const&, index_t id) const {
        index_t const chunks = (c + columns - 1) / columns, group = id / chunks, at = id % chunks * columns;
        float* const to = table + tokens[order[first[group]]] * c + at;
        auto sum = load<Warp, N>(to, c - at);
        for (std::int32_t i = first[group]; i < first[group + 1]; ++i) sum += load<Warp, N>(dy + order[i] * c + at, c - at);
        store<Warp, N>(to, sum, c - at);
    }
};

/// Row t of the position table: adds that position of all sequences.
template <int N>
struct add_positions {
    index_t batch, times, c;
    float const* dy;
    float* table;

    template <class Warp>
    constexpr void operator()(Warp const&, index_t t) const {
        each_wide<N>(c, [&](index_t j) {
            auto sum = load<Warp, N>(table + t * c + j, c - j);
            for (index_t b = 0; b < batch; ++b) sum += load<Warp, N>(dy + (b * times + t) * c + j, c - j);
            store<Warp, N>(table + t * c + j, sum, c - j);
        });
    }
};

/// Positions by their token, in order within one; where each token's begin, and the end.
struct token_groups {
    std::vector<std::int32_t> order, first;

    token_groups(std::int32_t const* tokens, index_t n) : order(static_cast<std::size_t>(n)) {
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
        std::sort(order.begin(), order.end(), [=](std::int32_t a, std::int32_t b) { return tokens[a] != tokens[b] ? tokens[a] < tokens[b] : a < b; });
        for (std::size_t i = 0; i < order.size(); ++i)
            if (i == 0 || tokens[order[i]] != tokens[order[i - 1]]) first.push_back(static_cast<std::int32_t>(i));
        first.push_back(static_cast<std::int32_t>(n));
    }
};

}  // namespace gpu

/// y(b,t) = wte(token) + wpe(t): tokens (B,T), wte (V,C), wpe (P,C) or empty (positions enter elsewhere), y (B,T,C).
/// \param tokens  on the host, and free again when this returns
/// \throws error for a token outside the vocabulary, or T > P
template <cuda_device Device>
void embedding_forward(Device device, view<std::int32_t const, 2> tokens, view<float const, 2> wte, view<float const, 2> wpe, view<float, 3> y) {
    index_t const times = tokens.shape(1), c = wte.shape(1);
    assert(y.shape(0) == tokens.shape(0) && y.shape(1) == times && y.shape(2) == c);
    require_ids("embedding: token", tokens.data(), tokens.size(), 0, wte.shape(0));
    require(wpe.empty() || times <= wpe.shape(0), "embedding: T ", times, ": expected at most the ", wpe.shape(0), " positions learned");
    auto const* const there = gpu::upload<gpu::uploaded_tokens>(device, tokens.data(), tokens.size());
    gpu::with_width(c, {wte.data(), wpe.data(), y.data()}, [&](auto n) {
        gpu::launch_rows(device, tokens.size(), gpu::embedding_row<n>{there, times, c, wte.data(), wpe.data(), y.data()});
    });
}

/// dwte(token) += dy(b,t), dwpe(t) += dy(b,t) (dwpe may be empty). Each sum is made by one warp, in order of position, as the host sorts
/// them while the device is still busy with what comes before. The tokens are those of embedding_forward, checked there.
template <cuda_device Device>
void embedding_backward(Device device, view<std::int32_t const, 2> tokens, view<float const, 3> dy, view<float, 2> dwte, view<float, 2> dwpe) {
    index_t const n = tokens.size(), times = tokens.shape(1), c = dwte.shape(1);
    if (n == 0) return;
    gpu::token_groups const groups(tokens.data(), n);
    auto const* const there = gpu::upload<gpu::uploaded_tokens>(device, tokens.data(), n);
    auto const* const order = gpu::upload<gpu::token_order>(device, groups.order.data(), n);
    auto const count = static_cast<index_t>(groups.first.size());
    auto const* const first = gpu::upload<gpu::token_beginnings>(device, groups.first.data(), count);
    gpu::with_width(c, {dy.data(), dwte.data(), dwpe.data()}, [&](auto width) {
        gpu::add_rows<width> const rows{order, first, there, c, dy.data(), dwte.data()};
        gpu::launch_rows(device, (count - 1) * rows.chunks(), rows);
        if (!dwpe.empty()) gpu::launch_rows(device, times, gpu::add_positions<width>{tokens.shape(0), times, c, dy.data(), dwpe.data()});
    });
}

}  // namespace attnlab
