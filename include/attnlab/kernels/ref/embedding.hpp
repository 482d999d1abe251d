#pragma once
#include <cstdint>

#include <attnlab/core/device.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/core/xt.hpp>
#include <attnlab/kernels/ids.hpp>

namespace attnlab {

/// y(b,t) = wte(token) + wpe(t): tokens (B,T), wte (V,C), wpe (P,C) or empty (positions enter elsewhere), y (B,T,C).
/// \throws error for a token outside the vocabulary, or T > P
inline void embedding_forward(ref, view<std::int32_t const, 2> tokens, view<double const, 2> wte, view<double const, 2> wpe,
                              view<double, 3> y) {
    require_ids("embedding: token", tokens.data(), tokens.size(), 0, wte.shape(0));
    require(wpe.empty() || tokens.shape(1) <= wpe.shape(0), "embedding: T ", tokens.shape(1), ": expected at most the ",
            wpe.shape(0), " positions learned");
    for (index_t b = 0; b < tokens.shape(0); ++b)
        for (index_t t = 0; t < tokens.shape(1); ++t) {
            auto row = as_xt(y[b][t]);
            xt::noalias(row) = as_xt(wte[tokens(b, t)]);
            if (!wpe.empty()) xt::noalias(row) += as_xt(wpe[t]);
        }
}

/// dwte(token) += dy(b,t), dwpe(t) += dy(b,t) (dwpe may be empty). The tokens are those of embedding_forward, checked there.
inline void embedding_backward(ref, view<std::int32_t const, 2> tokens, view<double const, 3> dy, view<double, 2> dwte,
                               view<double, 2> dwpe) {
    for (index_t b = 0; b < tokens.shape(0); ++b)
        for (index_t t = 0; t < tokens.shape(1); ++t) {
            auto const upstream = as_xt(dy[b][t]);
            auto token = as_xt(dwte[tokens(b, t)]);
            xt::noalias(token) += upstream;
            if (dwpe.empty()) continue;
            auto position = as_xt(dwpe[t]);
            xt::noalias(position) += upstream;
        }
}

}  // namespace attnlab
