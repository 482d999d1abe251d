#pragma once
#include <attnlab/attention/mask.hpp>
#include <attnlab/attention/parameters.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/sink.hpp>
#include <attnlab/attention/softmax.hpp>

/// \file
/// The attentions of the decoder families. Numbers that a config.json holds are parameters here, given by the model and not learned, so
/// that four types serve all families; RoPE and QK-norm are the decoder's, before the kernel.

namespace attnlab {

/// Query i sees keys `first` .. i; the decoder says where a layer's window begins.
struct recent {
    static constexpr key_range keys(index_t i, index_t, index_t first) { return {first, i + 1}; }
};

/// s <- s + w m_h j + a: ALiBi (2108.12409) as Falcon, BLOOM and MPT write it, by the key's position; softmax sees no difference to
/// m_h (j - i). Where split is 2^16, j and m_h j are rounded to the 8 bits of a bfloat16 by Dekker's splitting of a float (c = 2^16 x + x,
/// then c - (c - x)), since transformers' Falcon makes its table in that type; where it is 0, nothing is rounded.
struct given_slopes {
    struct parameters {
        head_scalar<"given.slope"> slope{zeros};
        head_scalar<"given.shift"> shift{zeros};
        head_scalar<"given.split"> split{zeros};
        head_scalar<"given.weight"> weight{ones};
    };
    static constexpr auto score(auto s, auto const& at, auto const& p) {
        auto const rounded = [&](auto x) {
            auto const c = p.split * x + x;
            return c - (c - x);
        };
        return s + stop_gradient(p.weight * rounded(p.slope * rounded(at.key_position)) + p.shift);
    }
};

/// s <- C tanh(s / C) (Gemma 2, 2408.00118).
struct given_cap {
    struct parameters {
        head_scalar<"given.cap"> cap{ones};
    };
    static constexpr auto score(auto s, auto const&, auto const& p) {
        auto const cap = stop_gradient(p.cap);
        return cap * tanh(s / cap);
    }
};

using decoder_softmax = attention<recent, softmax>;
using decoder_alibi = attention<given_slopes, recent, softmax>;
using decoder_capped = attention<given_cap, recent, softmax>;
using decoder_sink = attention<recent, softmax, sink>;

}  // namespace attnlab
