#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <attnlab/core/fixed_string.hpp>
#include <attnlab/core/view.hpp>

/// \file
/// Sites: the named places where a model can be looked at. A site is a type, so that a misspelt one does not compile; its name is
/// TransformerLens's, so that results can be compared line by line, and the keys of the paper's code (2502.06415) are its aliases.

namespace attnlab::site {

/// A place before or after the blocks (`per_layer` false) or in every block. Axes are letters of core/view.hpp; aliases stand
/// apart by blanks.
template <fixed_string Name, fixed_string Axes, bool PerLayer, fixed_string Meaning = "", fixed_string Aliases = "">
struct place {
    static constexpr std::string_view name = Name.view(), axes = Axes.view(), meaning = Meaning.view(),
                                      aliases = Aliases.view();
    static constexpr bool per_layer = PerLayer;
    /// Whether the rest of a pass reads what stands here, so that a change flows on.
    static constexpr bool alterable = true;
};
/// A place that is computed for observers beside the fused kernel, which never reads it.
template <fixed_string Name, fixed_string Axes, bool PerLayer, fixed_string Meaning = "", fixed_string Aliases = "">
struct by_product : place<Name, Axes, PerLayer, Meaning, Aliases> {
    static constexpr bool alterable = false;
};

// In the order in which a forward pass visits them.
struct embed : place<"hook_embed", "B T C", false, "token + position embedding"> {};
struct resid_pre : place<"hook_resid_pre", "B T C", true, "the stream that enters a block", "mha_rms_in"> {};
struct ln1_normalized : place<"ln1.hook_normalized", "B T C", true, "output of the attention's norm", "mha_rms_out"> {};
struct q : place<"attn.hook_q", "B H T D", true, "queries, after the policy's prologue", "query"> {};
struct k : place<"attn.hook_k", "B H T D", true, "keys, after the policy's prologue", "key"> {};
struct v : place<"attn.hook_v", "B H T D", true, "values, after the policy's prologue", "value"> {};
struct attn_scores
    : by_product<"attn.hook_attn_scores", "B H T T", true, "scores after scale, cap and bias; masked: -inf", "attn_logits"> {};
struct pattern
    : by_product<"attn.hook_pattern", "B H T T", true, "weights over the real keys; a slot's share is taken off", "attn_probs"> {};
struct slot : by_product<"attn.hook_slot", "B H T", true, "share of the weights that a learned slot takes; 0 without"> {};
struct gate : by_product<"attn.hook_gate", "B H T", true, "d(head output)/d(weighted values), mean over D; 1 without a gate"> {};
// Of the pattern without the pattern: O(T) numbers a head (kernels/attention_statistics.hpp).
struct pattern_sums : by_product<"attn.hook_pattern_sums", "B H T", true, "sum over queries of the weights of each key", "cumulative"> {};
struct pattern_entropy : by_product<"attn.hook_pattern_entropy", "B H T", true, "-sum_j w log w of each query, nats"> {};
struct largest_score : by_product<"attn.hook_largest_score", "B H T", true, "largest score of each query"> {};
struct pattern_columns : by_product<"attn.hook_pattern_columns", "B H K T", true, "weights of the observer's `keys`, else of key 0"> {};
struct z : place<"attn.hook_z", "B T C", true, "merged heads, before the output projection", "attn_head_out"> {};
struct attn_out : place<"hook_attn_out", "B T C", true, "after the output projection", "mha_out"> {};
struct resid_mid : place<"hook_resid_mid", "B T C", true, "the stream between attention and MLP", "rms_in"> {};
struct ln2_normalized : place<"ln2.hook_normalized", "B T C", true, "output of the MLP's norm", "rms_out"> {};
struct mlp_pre : place<"mlp.hook_pre", "B T F", true, "before the activation; F = 4 C", "up_out"> {};
struct mlp_post : place<"mlp.hook_post", "B T F", true, "input of the down projection", "down_in act_out"> {};
struct mlp_out : place<"hook_mlp_out", "B T C", true, "output of the down projection", "down_out"> {};
struct resid_post : place<"hook_resid_post", "B T C", true, "the stream that leaves a block", "layer_out"> {};
struct ln_final : place<"ln_final.hook_normalized", "B T C", false, "output of the last norm"> {};
struct logits : place<"logits", "B T V", false, "made by logits() alone: a loss never has them whole"> {};

/// Every site of a GPT, in order of visit: what `logits` shows. `hidden_states.<i>` is resid_pre of block i, and ln_final for
/// i = L.
using all = std::tuple<embed, resid_pre, ln1_normalized, q, k, v, attn_scores, pattern, slot, gate, pattern_sums, pattern_entropy,
                       largest_score, pattern_columns, z, attn_out, resid_mid, ln2_normalized, mlp_pre, mlp_post, mlp_out, resid_post,
                       ln_final, logits>;

/// What the Linears of a block are given: those of q, k, v and of gates, of the merged heads, up and down.
using linear_inputs = std::tuple<ln1_normalized, z, ln2_normalized, mlp_post>;

/// Sites of other families, which a GPT does not have.
struct gate_out : place<"mlp.hook_gate", "B T F", true, "gate projection of a gated MLP", "gate_out"> {};
struct act_out : place<"mlp.hook_act", "B T F", true, "activation of a gated MLP's gate; without a gate it is mlp.hook_post", "act_out"> {};
struct router_logits : place<"mlp.hook_router_logits", "B T E", true, "a mixture's router", "router_logits"> {};
struct router_weights : place<"mlp.hook_expert_weights", "B T E", true, "a mixture's weights of experts", "router_weights"> {};
struct router_experts : place<"mlp.hook_expert_indices", "B T E", true, "a mixture's chosen experts", "router_experts"> {};
struct post_attn_norm_out
    : place<"ln1_post.hook_normalized", "B T C", true, "output of a norm after attention", "post_attn_norm_out"> {};
struct post_mlp_norm_out
    : place<"ln2_post.hook_normalized", "B T C", true, "output of a norm after the MLP", "post_mlp_norm_out"> {};
using others = std::tuple<gate_out, act_out, router_logits, router_weights, router_experts, post_attn_norm_out, post_mlp_norm_out>;

/// Weights are looked at under their names in a block: `weight<"mlp.down_proj">`, always (output, input), whatever a file stores.
template <fixed_string Name>
struct weight : place<Name, "O I", true> {};

/// The weights of a block of a GPT: nanoGPT's name, and what other families call the same thing.
struct weight_name {
    std::string_view name, meaning, alias;
};
inline constexpr weight_name weights[] = {{"attn.c_attn", "to queries, keys and values, in this order", ""},
                                          {"attn.c_proj", "from the merged heads", "attn.o_proj"},
                                          {"mlp.c_fc", "to the MLP's width", "mlp.up_proj"},
                                          {"mlp.c_proj", "from the MLP's width", "mlp.down_proj"}};

namespace detail {
template <class List, class Places = std::make_index_sequence<std::tuple_size_v<List> - 1>>
struct without_last;
template <class List, std::size_t... I>
struct without_last<List, std::index_sequence<I...>> {
    using type = std::tuple<std::tuple_element_t<I, List>...>;
};

/// Two names as one, when compiled.
template <class Site, fixed_string Ending>
struct extended {
    static constexpr auto letters = [] {
        std::array<char, Site::name.size() + Ending.view().size()> out{};
        std::copy(Ending.view().begin(), Ending.view().end(), std::copy(Site::name.begin(), Site::name.end(), out.begin()));
        return out;
    }();
    static constexpr std::string_view name{letters.data(), letters.size()}, axes = Site::axes, meaning = "", aliases = "";
    static constexpr bool per_layer = Site::per_layer, alterable = false;
};
}  // namespace detail

/// d(scale * loss) by what stands at `Of`: an activation, seen by `loss_and_gradient`, or a weight, by `watch_weights`, summed over
/// passes.
template <class Of>
struct gradient : detail::extended<Of, ".grad"> {
    using of = Of;
};
/// Adam's running means of a weight's gradient and of its square; the first of them is the momentum of SGD.
template <class Of>
struct first_moment : detail::extended<Of, ".m"> {
    using of = Of;
};
template <class Of>
struct second_moment : detail::extended<Of, ".v"> {
    using of = Of;
};

/// Gradients by activations, in the order in which a backward pass visits them.
using gradients = std::tuple<gradient<ln_final>, gradient<resid_post>, gradient<mlp_out>, gradient<mlp_post>, gradient<mlp_pre>,
                             gradient<ln2_normalized>, gradient<resid_mid>, gradient<attn_out>, gradient<z>, gradient<ln1_normalized>,
                             gradient<resid_pre>, gradient<embed>>;

/// What `loss` shows, and what `loss_and_gradient` does.
using in_loss = detail::without_last<all>::type;
using in_training = decltype(std::tuple_cat(in_loss{}, gradients{}));

/// The site's full name, e.g. "blocks.3.attn.hook_pattern".
template <class Site>
std::string full_name(index_t layer) {
    std::string out;
    if constexpr (Site::per_layer) out.append("blocks.").append(std::to_string(layer)).append(".");
    return out.append(Site::name);
}

}  // namespace attnlab::site
