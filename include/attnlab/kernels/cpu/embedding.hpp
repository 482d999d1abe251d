#pragma once
#include <algorithm>
#include <cassert>
#include <cstdint>

#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/kernels/cpu/rows.hpp>
#include <attnlab/kernels/cpu/simd.hpp>
#include <attnlab/kernels/ids.hpp>

namespace attnlab {

/// y(b,t) = wte(token) + wpe(t): tokens (B,T), wte (V,C), wpe (P,C) or empty (positions enter elsewhere), y (B,T,C).
/// \throws error for a token outside the vocabulary, or T > P
inline void embedding_forward(cpu, view<std::int32_t const, 2> tokens, view<float const, 2> wte, view<float const, 2> wpe,
                              view<float, 3> y) {
    index_t const times = tokens.shape(1), c = wte.shape(1);
    assert(y.shape(0) == tokens.shape(0) && y.shape(1) == times && y.shape(2) == c);
    require_ids("embedding: token", tokens.data(), tokens.size(), 0, wte.shape(0));
    require(wpe.empty() || times <= wpe.shape(0), "embedding: T ", times, ": expected at most the ", wpe.shape(0),
            " positions learned");
    each_row(tokens.size(), c, [=](index_t i) {
        float const* const token = wte.data() + tokens.data()[i] * c;
        float* const out = y.data() + i * c;
        if (wpe.empty()) {
            std::copy_n(token, c, out);
            return;
        }
        float const* const position = wpe.data() + i % times * c;
        each_lanes(c, [=](index_t j, auto part) { store(out + j, load(token + j, part) + load(position + j, part), part); });
    });
}

/// dwte(token) += dy(b,t), dwpe(t) += dy(b,t) (dwpe may be empty). Threads share the columns, not the rows: tokens meet in one
/// row of dwte, and so each sum is made by one thread, in order of position. The tokens are those of embedding_forward, checked
/// there.
inline void embedding_backward(cpu, view<std::int32_t const, 2> tokens, view<float const, 3> dy, view<float, 2> dwte,
                               view<float, 2> dwpe) {
    index_t const times = tokens.shape(1), c = dwte.shape(1);
    constexpr index_t block = 64;
    each_row((c + block - 1) / block, tokens.size() * block, [=](index_t k) {
        index_t const first = k * block, count = std::min(block, c - first);
        auto const add_to = [&](float* row, float const* from) {
            each_lanes(count, [=](index_t j, auto part) { store(row + j, load(row + j, part) + load(from + j, part), part); });
        };
        for (index_t i = 0; i < tokens.size(); ++i) {
            float const* const from = dy.data() + i * c + first;
            add_to(dwte.data() + tokens.data()[i] * c + first, from);
            if (!dwpe.empty()) add_to(dwpe.data() + i % times * c + first, from);
        }
    });
}

}  // namespace attnlab
