#pragma once
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <attnlab/core/fixed_string.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// Sites: the named places where a model can be looked at. A site is a type, so that a misspelt one does not compile; its name is
/// TransformerLens's, so that results can be compared line by line.

namespace attnlab::site {

/// A place before or after the blocks (`per_layer` false) or in every block. Axes are letters of core/view.hpp.
template <fixed_string Name, fixed_string Axes, bool PerLayer>
struct place {
    static constexpr std::string_view name = Name.view();
    static constexpr std::string_view axes = Axes.view();
    static constexpr bool per_layer = PerLayer;
};

// In the order in which a forward pass visits them.
struct embed : place<"hook_embed", "B T C", false> {};                     ///< token + position embedding
struct resid_pre : place<"hook_resid_pre", "B T C", true> {};              ///< the stream that enters a block
struct ln1_normalized : place<"ln1.hook_normalized", "B T C", true> {};    ///< output of the attention's norm
struct q : place<"attn.hook_q", "B H T D", true> {};
struct k : place<"attn.hook_k", "B H T D", true> {};
struct v : place<"attn.hook_v", "B H T D", true> {};
struct pattern : place<"attn.hook_pattern", "B H T T", true> {};           ///< weights over the real keys; a slot's share is taken off
struct slot : place<"attn.hook_slot", "B H T", true> {};                   ///< share of the weights that a learned slot takes (0 without)
struct gate : place<"attn.hook_gate", "B H T", true> {};                   ///< d(head output)/d(weighted values), the mean over D; 1 without a gate
// Of the pattern without the pattern, as by-products of the kernel's tiles: O(T) numbers a head (kernels/attention_statistics.hpp).
struct pattern_sums : place<"attn.hook_pattern_sums", "B H T", true> {};         ///< sum_i P[i,j] of each key j
struct pattern_entropy : place<"attn.hook_pattern_entropy", "B H T", true> {};   ///< -sum_j P[i,j] log P[i,j] of each query i, nats
struct largest_score : place<"attn.hook_largest_score", "B H T", true> {};       ///< max_j of query i's scores
struct pattern_columns : place<"attn.hook_pattern_columns", "B H K T", true> {}; ///< P[i,j] of the keys j in the observer's `keys`
struct z : place<"attn.hook_z", "B T C", true> {};                         ///< merged heads, before the output projection
struct attn_out : place<"hook_attn_out", "B T C", true> {};                ///< after the output projection
struct resid_mid : place<"hook_resid_mid", "B T C", true> {};
struct ln2_normalized : place<"ln2.hook_normalized", "B T C", true> {};
struct mlp_pre : place<"mlp.hook_pre", "B T F", true> {};                  ///< F = 4 C
struct mlp_post : place<"mlp.hook_post", "B T F", true> {};                ///< input of the down projection
struct mlp_out : place<"hook_mlp_out", "B T C", true> {};
struct resid_post : place<"hook_resid_post", "B T C", true> {};            ///< output of a block
struct ln_final : place<"ln_final.hook_normalized", "B T C", false> {};
struct logits : place<"logits", "B T V", false> {};

/// Every site of a GPT, in order of visit.
using all = std::tuple<embed, resid_pre, ln1_normalized, q, k, v, pattern, slot, gate, pattern_sums, pattern_entropy, largest_score,
                       pattern_columns, z, attn_out, resid_mid, ln2_normalized,
                       mlp_pre, mlp_post, mlp_out, resid_post, ln_final, logits>;

/// The site's full name, e.g. "blocks.3.attn.hook_pattern".
template <class Site>
std::string full_name(index_t layer) {
    std::string out;
    if constexpr (Site::per_layer) out = "blocks." + std::to_string(layer) + ".";
    return out += Site::name;
}

}  // namespace attnlab::site
