#pragma once
#include <algorithm>
#include <iterator>
#include <string_view>

#include <attnlab/io/json.hpp>

/// \file
/// What the fields of a published config.json do to a forward pass, where no family reads them.

namespace attnlab {

enum class field_effect { none, changes, unknown };

namespace detail {

/// Names, files and versions, tokens, training, generation, heads for other tasks: a forward pass does not see them.
inline constexpr std::string_view harmless_fields[] = {
    // where it comes from
    "_name_or_path", "architectures", "auto_map", "model_type", "name_or_path", "tokenizer_class", "tokenizer_name", "torch_dtype", "dtype",
    "transformers_version", "transformers.js_config", "init_device", "verbose", "revision", "license", "unsloth_fixed", "unsloth_version",
    "_commit_hash", "model_name", "base_model", "is_llama_config", "_num_labels",
    // tokens and lengths that nothing is computed from
    "bos_token", "eos_token", "pad_token", "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id", "mask_token_id", "unk_token_id",
    "forced_bos_token_id", "forced_eos_token_id", "image_token_id", "max_sequence_length", "model_max_length", "n_ctx",
    "initial_context_length", "max_position_embeddings", "prefix", "seq_length", "n_special",
    "predict_special_tokens", "pad_vocab_size_multiple", "sliding_window_size",
    // how it was or would be trained
    "initializer_range", "initializer_factor", "init_std", "init_config", "initializer_cutoff_factor", "attention_dropout", "attn_pdrop",
    "embd_pdrop", "emb_pdrop", "resid_pdrop", "hidden_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout",
    "activation_dropout", "layerdrop", "classifier_dropout", "embedding_dropout", "embed_dropout", "dropout_rate", "classifier_dropout_prob",
    "embedding_fraction", "gradient_checkpointing", "router_aux_loss_coef", "router_jitter_noise", "output_router_logits",
    "pretraining_tp", "embed_pdrop", "keys_to_ignore_at_inference", "router_z_loss_coef", "ffn_dropout",
    // how it is run, to the same numbers
    "use_cache", "cache_implementation", "attn_implementation", "_attn_implementation", "_attn_implementation_internal",
    "_attn_implementation_autoset", "attn_impl", "torchscript", "return_dict", "return_dict_in_generate", "output_attentions",
    "output_hidden_states", "output_scores", "output_past", "use_bfloat16", "tf_legacy_loss", "chunk_size_feed_forward", "reorder_and_upcast_attn",
    "use_flash_attn", "fused_dropout_add_ln", "flash_attn", "fused_bias_fc", "flash_rotary", "_flash_attn_2_enabled",
    "use_flash_attention", "fused_mlp", "use_kernels", "attn_uses_sequence_id",
    // for other tasks, and of the library's text generation
    "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj", "task_specific_params",
    "problem_type", "id2label", "label2id", "num_labels", "finetuning_task", "tie_encoder_decoder", "cross_attention_hidden_size",
    "pruned_heads", "is_decoder", "is_encoder_decoder", "max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping", "num_beams",
    "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "generation_config"};

/// A choice, and the value of it under which a family that does not read it is what it was without. Every other value changes results.
struct neutral_field {
    std::string_view name;
    std::string_view json;  ///< empty: no value is neutral
};
inline constexpr neutral_field neutral_fields[] = {
    // sizes that every family of theirs reads
    {"hidden_size", ""}, {"intermediate_size", ""}, {"num_hidden_layers", ""}, {"num_attention_heads", ""}, {"num_key_value_heads", ""},
    {"num_kv_heads", ""}, {"head_dim", ""}, {"vocab_size", ""}, {"n_embd", ""}, {"n_layer", ""}, {"n_head", ""}, {"n_positions", ""},
    {"ffn_dim", ""}, {"ffn_hidden_size", ""}, {"d_model", ""}, {"n_heads", ""}, {"n_layers", ""}, {"expansion_ratio", ""},
    // projections, norms and their places
    {"attention_bias", "false"}, {"mlp_bias", "false"}, {"use_bias", "false"}, {"qkv_bias", "false"}, {"no_bias", "true"}, {"bias", "false"},
    {"enable_bias", "true"}, {"lm_head_bias", "false"}, {"qk_layernorm", "false"}, {"use_qk_norm", "false"}, {"qk_norm", "false"},
    {"qk_ln", "false"}, {"qk_gn", "false"}, {"clip_qkv", ""}, {"do_layer_norm_before", "true"}, {"_remove_final_layer_norm", "false"},
    {"layer_norm_elementwise_affine", "true"}, {"norm_type", ""}, {"apply_residual_connection_post_layernorm", "false"},
    {"use_parallel_residual", ""}, {"parallel_attn", ""}, {"new_decoder_architecture", ""}, {"multi_query", ""},
    {"num_ln_in_parallel_attn", ""}, {"word_embed_proj_dim", ""}, {"tie_word_embeddings", ""}, {"norm_eps", ""}, {"rms_norm_eps", ""},
    {"layer_norm_eps", ""}, {"layer_norm_epsilon", ""}, {"norm_epsilon", ""}, {"post_norm", "false"}, {"sandwich_norm", "false"},
    // positions and masks
    {"alibi", "false"}, {"alibi_bias_max", ""}, {"rope_theta", ""}, {"rope_scaling", ""}, {"rope_parameters", ""}, {"rope", ""},
    {"partial_rotary_factor", "1.0"}, {"rotary_pct", ""}, {"rotary_dim", ""}, {"rotary_emb_base", ""}, {"rotary", ""},
    {"rope_local_base_freq", ""}, {"no_rope_layers", ""}, {"no_rope_layer_interval", ""}, {"use_mrope", "false"}, {"mrope_section", ""},
    {"learned_pos_emb", ""}, {"sliding_window", ""}, {"use_sliding_window", "false"}, {"rope_interleaved", "false"},
    {"sliding_window_pattern", ""}, {"max_window_layers", ""}, {"layer_types", ""}, {"attention_chunk_size", ""}, {"prefix_lm", "false"},
    {"use_bidirectional_attention", "false"}, {"add_cross_attention", "false"}, {"attention_window", ""},
    // scores, scales and caps
    {"softmax_scale", ""}, {"attention_multiplier", ""}, {"query_pre_attn_scalar", ""}, {"scale_attn_weights", "true"},
    {"scale_attn_by_inverse_layer_idx", "false"}, {"attn_logit_softcapping", ""}, {"final_logit_softcapping", ""}, {"logit_scale", ""},
    {"logits_scaling", "1.0"}, {"embedding_multiplier", "1.0"}, {"residual_multiplier", "1.0"}, {"mup_width_scale", ""},
    {"mup_embeddings_multiplier", ""}, {"scale_emb", ""}, {"scale_depth", ""}, {"dim_model_base", ""}, {"attn_temperature_tuning", "false"},
    {"normalize_embedding", "false"}, {"scale_embedding", "false"},
    // MLPs and experts
    {"hidden_act", ""}, {"hidden_activation", ""}, {"activation_function", ""}, {"activation", ""}, {"swiglu_limit", ""}, {"n_inner", ""},
    {"num_local_experts", ""}, {"num_experts", ""}, {"n_routed_experts", ""}, {"n_shared_experts", ""}, {"num_experts_per_tok", ""},
    {"experts_per_token", ""}, {"moe_intermediate_size", ""}, {"shared_expert_intermediate_size", ""}, {"decoder_sparse_step", ""},
    {"mlp_only_layers", "[]"}, {"norm_topk_prob", ""}, {"first_k_dense_replace", ""}, {"topk_group", ""}, {"ffn_config", ""},
    {"attn_type", ""}, {"attn_config", ""},
    // the stored numbers are not the weights
    {"quantization_config", ""}, {"quantization", ""}, {"compression_config", ""}, {"sparsity_config", ""}};

}  // namespace detail

/// What it means for results that nobody read the field `name`. Of a field that no published model is known to have, a value that turns
/// nothing on (false, 0, an empty text, list or object) is taken for harmless, every other for unknown.
inline field_effect effect_of(std::string_view name, json const& value) {
    using namespace detail;
    if (std::ranges::find(harmless_fields, name) != std::end(harmless_fields)) return field_effect::none;
    auto const known = std::ranges::find(neutral_fields, name, &neutral_field::name);
    if (known != std::end(neutral_fields))
        return !known->json.empty() && value == json::parse(known->json) ? field_effect::none : field_effect::changes;
    for (std::string_view const ending : {"_dropout", "_pdrop", "_dropout_prob", "_token_id", "_token_ids", "_loss_coef"})
        if (name.ends_with(ending)) return field_effect::none;
    bool const off = value.is_null() || value == false || value == 0 || value == "" || (value.is_structured() && value.empty());
    return off ? field_effect::none : field_effect::unknown;
}

}  // namespace attnlab
