#pragma once
#include <cstdint>

#include <attnlab/attention/symbols.hpp>
#include <attnlab/core/error.hpp>
#include <attnlab/kernels/gelu_form.hpp>
#include <attnlab/core/precision.hpp>

namespace attnlab {

/// Sizes and choices of a GPT, in nanoGPT's names.
struct gpt_config {
    index_t n_layer = 12, n_head = 12, n_embd = 768;   ///< L, H, C
    index_t n_kv_head = 0;                           ///< heads of k and v; 0: as n_head
    index_t block_size = 1024, vocab_size = 50304;     ///< longest T, V
    bool bias = false;                               ///< in LayerNorms and Linears
    bool tied = true;                                ///< the head is the token table
    double init_std = 0.02;                          ///< weights; projections into the stream get init_std / sqrt(2 L)
    double embedding_std = 0;                        ///< embeddings; 0: as init_std
    double layer_norm_eps = 1e-5;
    gelu_form gelu = gelu_form::exact;
    precision products = precision::float32;         ///< what Linears and the head multiply (`--dtype`)
    bool recompute = false;                          ///< keep one block's activations, compute the others again on the way back
    length_rule length = length_rule::sequence;      ///< which T a formula means
    std::int32_t separator = -1;                     ///< the token that begins a document, for masks by document; -1: all is one

    /// Floating point operations of training on a token, of N learned values: 6 N, and 6 L C T for attention's causal half (2204.02311, B).
    double training_flop(index_t parameters) const {
        return 6 * static_cast<double>(parameters - block_size * n_embd) + 6 * static_cast<double>(n_layer * n_embd * block_size);
    }
    index_t kv_heads() const { return n_kv_head ? n_kv_head : n_head; }

    /// \throws usage_error that names the field
    void check() const {
        auto const positive = [](char const* name, index_t x) {
            if (x < 1) fail<usage_error>(name, ": expected a positive number, got ", x);
        };
        positive("n_layer", n_layer), positive("n_head", n_head), positive("n_embd", n_embd);
        positive("block_size", block_size), positive("vocab_size", vocab_size);
        if (n_embd % n_head != 0) fail<usage_error>("n_embd: expected a multiple of n_head (", n_head, "), got ", n_embd);
        if (n_kv_head < 0 || n_head % kv_heads() != 0) fail<usage_error>("n_kv_head: expected a divisor of n_head (", n_head, "), got ", n_kv_head);
        if (init_std < 0) fail<usage_error>("init_std: expected a number of at least 0, got ", init_std);
        if (embedding_std < 0) fail<usage_error>("embedding_std: expected a number of at least 0, got ", embedding_std);
        if (layer_norm_eps <= 0) fail<usage_error>("layer_norm_eps: expected a positive number, got ", layer_norm_eps);
    }
};

}  // namespace attnlab
