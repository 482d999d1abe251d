#pragma once
#include <cmath>
#include <string>
#include <vector>

#include <attnlab/core/view.hpp>

/// \file
/// What makes one decoder differ from another, as numbers and names: a family (models/families) is the function that fills it in from a
/// config.json. Which formulas attention has is the type's to say (models/decoder/policies.hpp); all else is here, so that a family costs
/// no compile time.

namespace attnlab {

/// y = (x - mean) / sqrt(variance + eps) * w + b, or without the mean (RMSNorm, 1910.07467); Gemma multiplies by 1 + w.
struct norm_form {
    enum class kind { layer, rms } which = kind::rms;
    double eps = 1e-5, offset = 0;
    bool bias = false;     ///< a tensor NAME.bias
    bool weight = true;    ///< a tensor NAME.weight
};

/// RoPE by run-time numbers (2104.09864): frequencies of the pairs (p, p + rotated / 2), all multiplied by `factor` (YaRN, 2309.00071).
struct rotation_form {
    std::vector<double> frequencies;   ///< radians a position of each pair; empty: no rotation
    double factor = 1;
    std::vector<double> beyond;        ///< those of texts longer than `length`, all of their positions; empty: the same (LongRoPE, 2402.13753)
    index_t length = 0;
    bool neighbours = false;           ///< pairs are (2 p, 2 p + 1) (GPT-J)

    std::vector<double> const& of_length(index_t T) const { return !beyond.empty() && T > length ? beyond : frequencies; }
    index_t rotated() const { return 2 * static_cast<index_t>(frequencies.size()); }
};

enum class activation { gelu, gelu_tanh, silu, relu };

/// A matrix of a block: the tensors NAME.weight (O, I) and, with `bias`, NAME.bias.
struct matrix_name {
    std::string name;
    bool bias = false;
    bool transposed = false;   ///< stored (I, O): GPT-2's Conv1D
};

/// A mixture of experts: the `chosen` largest of a softmax over the router's logits, where `normalised` they sum to 1.
struct mixture_form {
    index_t experts = 0, chosen = 0;
    bool normalised = true;
    matrix_name router;
    /// Expert e's matrices as tensors of their own, "{}" its number; or, `fused`, as slices of one tensor (gpt-oss): gate_up (E, C, 2 F),
    /// gate and up in turn, and down (E, F, C), with biases.
    std::string gate, up, down;
    bool fused = false;
    double clamp = 0, slope = 1;   ///< gpt-oss: (min(g, clamp) sigmoid(slope g)) (clamp(u) + 1)
};

/// A decoder-only transformer.
struct decoder_description {
    std::string family;
    index_t vocabulary = 0, width = 0, layers = 0, heads = 0, kv_heads = 0, head_size = 0, mlp_width = 0;
    index_t longest = 0;               ///< positions it was trained for; 0: nothing in it depends on that
    bool refuses_longer = false;       ///< a table of positions ends there, or formulas change

    // In front of the blocks.
    std::string embedding;             ///< tensor (V, C)
    double embedding_scale = 1;
    std::string positions;             ///< tensor (longest + offset, C); empty: none
    index_t position_offset = 0;
    index_t embedding_width = 0;       ///< OPT-350m: E < C, with projections in and out; 0: C
    std::string project_in, project_out;
    std::string embedding_norm;        ///< in front of the first block (BLOOM); empty: none

    // A block; names are without the block's prefix.
    std::string block;                 ///< "model.layers."
    norm_form norm;
    std::string attention_norm, mlp_norm;            ///< empty: none; parallel, an empty second: one norm feeds both
    std::string post_attention_norm, post_mlp_norm;  ///< on what is added to the stream (Gemma 2, OLMo 2); empty: none
    bool parallel = false;             ///< x + attention(norm x) + mlp(norm x)
    bool norm_after = false;           ///< x = norm(x + f(x)) (OPT-350m)

    matrix_name q, k, v, qkv, out;     ///< q, k and v apart, or qkv in one
    bool grouped = false;              ///< rows of qkv: for each head of k, its queries, k, v; else all q, all k, all v
    double clip_qkv = 0;               ///< q, k, v clamped to +- this; 0: not
    std::string q_norm, k_norm;        ///< QK-norm over D (Qwen 3); empty: none
    bool qk_norm_of_all = false;       ///< over H D and H_kv D, a weight for each channel of each head (OLMo 2)
    rotation_form rotation;
    rotation_form window_rotation;     ///< of layers with a window, where these have their own (Gemma 3)
    std::vector<bool> unrotated;       ///< layers without positions (SmolLM 3); empty: none
    double scale = 0;                  ///< of scores; 0: 1 / sqrt(D)
    bool scale_query = false;          ///< q is multiplied by it, rather than the product (OPT)
    std::vector<double> slopes;        ///< ALiBi: a score gets slope_h (j - (T - 1 or 0)); empty: none
    bool slopes_from_end = false;      ///< MPT counts from the last token; softmax sees no difference
    double slopes_scale = 0;           ///< m_h j is rounded to bfloat16, then multiplied by this, as transformers' Falcon has it; 0: not
    double score_cap = 0;              ///< C tanh(s / C); 0: none
    std::string sinks;                 ///< tensor (H) of sink logits; empty: none
    double residual_scale = 1;         ///< of what attention and MLP add to the stream (Granite)
    std::vector<index_t> windows;      ///< keys that a query of a layer sees, itself counted; 0: all. Empty: all in all layers

    matrix_name gate, up, down;        ///< of the MLP; no name of a gate: not gated
    bool fused_gate = false;           ///< `up` holds the gate's rows, then its own: (2 F, C)
    activation act = activation::silu;
    mixture_form mixture;              ///< in place of the MLP where it has experts

    // After the blocks.
    std::string final_norm;            ///< empty: none
    std::string head;                  ///< tensor (V, C); empty: the embedding
    std::string head_bias;             ///< tensor (V); empty: none
    double logit_cap = 0, logit_scale = 1;

    double score_scale() const { return scale > 0 ? scale : 1 / std::sqrt(static_cast<double>(head_size)); }
    index_t window(index_t layer) const { return windows.empty() ? 0 : windows[static_cast<std::size_t>(layer)]; }
    bool rotates(index_t layer) const { return unrotated.empty() || !unrotated[static_cast<std::size_t>(layer)]; }
    /// Where attention's parameters stand in a block: "self_attn" of "self_attn.o_proj".
    std::string attention_module() const { return out.name.substr(0, out.name.rfind('.')); }
    bool gated() const { return fused_gate || !gate.name.empty(); }
    std::string prefix(index_t layer) const { return block + std::to_string(layer) + '.'; }
    /// Matrices of a block under the family's names, in order of use.
    std::vector<matrix_name> matrices() const {
        std::vector<matrix_name> out;
        for (auto const& m : {q, k, v, qkv, this->out, gate, up, down, mixture.router})
            if (!m.name.empty()) out.push_back(m);
        if (!mixture.fused)
            for (index_t e = 0; e < mixture.experts; ++e)
                for (auto const& name : {mixture.gate, mixture.up, mixture.down}) out.push_back({of_expert(name, e)});
        return out;
    }
    static std::string of_expert(std::string name, index_t e) { return name.replace(name.find("{}"), 2, std::to_string(e)); }
};

}  // namespace attnlab
