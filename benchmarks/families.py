"""The forms of models that check_families.py tries: each a model_type, fields of its config.json, and how it is stored."""
from dataclasses import dataclass, field
from typing import Callable, Optional

import torch


@dataclass
class Form:
    name: str
    model_type: str
    config: dict
    dtype: torch.dtype = torch.float32
    T: int = 24
    B: int = 2
    shard: str = ""
    refused: str = ""              # must be refused by a line with this text
    tolerance: float = 0
    attention: str = "eager"
    classic_names: dict = field(default_factory=dict)
    edit_config: Callable = lambda c: c
    edit_weights: Optional[Callable] = None
    styles: tuple = ("current", "classic", "bare")


def pack_experts(w):
    """Experts as gpt-oss is published: random MXFP4 values in place of what was there."""
    out = {}
    for name, x in w.items():
        if name.endswith(("gate_up_proj", "down_proj")):   # (E, I, O)
            E, I, O = x.shape
            out[name + "_blocks"] = torch.randint(0, 256, (E, O, I // 32, 16), dtype=torch.uint8)
            out[name + "_scales"] = torch.randint(121, 126, (E, O, I // 32), dtype=torch.uint8)
        else:
            out[name] = x
    return out


def sizes(**more):
    return dict(vocab_size=160, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2) | more


def neox_sizes(**more):
    return {k: v for k, v in sizes(**more).items() if k != "num_key_value_heads"}


def rope(kind, **more):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=10000.0) | more)


LLAMA3 = rope("llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
YARN = rope("yarn", rope_theta=150000.0, factor=4.0, original_max_position_embeddings=16)
OSS = sizes(num_local_experts=6, num_experts_per_tok=3, head_dim=16, sliding_window=7, num_hidden_layers=4)
FALCON = dict(vocab_size=160, hidden_size=48, num_hidden_layers=3, num_attention_heads=6, bos_token_id=1, eos_token_id=2)
MPT = dict(vocab_size=160, d_model=48, n_layers=3, n_heads=4, max_seq_len=64)
OPT = dict(vocab_size=160, hidden_size=48, num_hidden_layers=3, ffn_dim=96, num_attention_heads=4, max_position_embeddings=64,
           word_embed_proj_dim=48, pad_token_id=1)
GPT2 = dict(vocab_size=160, n_embd=48, n_layer=3, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2)

MOE = sizes(head_dim=16, moe_intermediate_size=40, num_experts=6, num_experts_per_tok=2, norm_topk_prob=True)
BLOOM = dict(vocab_size=160, hidden_size=48, n_layer=3, n_head=6)
LONG = rope("longrope", short_factor=[1.0, 1.1, 1.3, 1.5, 1.7, 2.0], long_factor=[1.5, 2.0, 3.0, 4.0, 6.0, 8.0])

FORMS = [
    Form("llama", "llama", sizes()),
    Form("llama biases", "llama", sizes(attention_bias=True, mlp_bias=True)),
    Form("llama tied, head_dim", "llama", sizes(tie_word_embeddings=True, head_dim=20)),
    Form("llama multi-query, gelu", "llama", sizes(num_key_value_heads=1, hidden_act="gelu")),
    Form("llama rope linear", "llama", sizes(**rope("linear", factor=4.0))),
    Form("llama rope yarn", "llama", sizes(**YARN)),
    Form("llama rope yarn, all fields", "llama", sizes(**rope("yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=8.0, beta_slow=2.0,
                                                             attention_factor=0.9))),
    Form("llama rope yarn, mscale", "llama", sizes(**rope("yarn", factor=4.0, original_max_position_embeddings=16, mscale=0.7, mscale_all_dim=0.5))),
    Form("llama rope dynamic", "llama", sizes(**rope("dynamic", factor=2.0))),
    Form("llama rope dynamic, longer", "llama", sizes(**rope("dynamic", factor=2.0)), T=80, refused="64 positions"),
    Form("llama rope llama3", "llama", sizes(**LLAMA3)),
    Form("llama bf16", "llama", sizes(), dtype=torch.bfloat16),
    Form("llama f16", "llama", sizes(), dtype=torch.float16),
    Form("llama f64", "llama", sizes(), dtype=torch.float64),
    Form("llama sharded", "llama", sizes(), shard="40KB"),
    Form("llama one token", "llama", sizes(), T=1, B=3),
    Form("llama in several parts", "llama", sizes(max_position_embeddings=2048), T=1100, B=7, tolerance=1e-4),   # transformers takes angles in float32
    Form("mistral", "mistral", sizes(sliding_window=9)),
    Form("mistral window null", "mistral", sizes(sliding_window=None)),
    Form("mistral window longer", "mistral", sizes(sliding_window=40, head_dim=16)),
    Form("mixtral window", "mixtral", sizes(sliding_window=5, num_local_experts=5, num_experts_per_tok=2)),
    Form("mixtral one expert", "mixtral", sizes(num_local_experts=4, num_experts_per_tok=1), dtype=torch.bfloat16),
    Form("qwen2", "qwen2", sizes()),
    Form("qwen2 window", "qwen2", sizes(use_sliding_window=True, sliding_window=6, max_window_layers=1)),
    Form("qwen3 tied", "qwen3", sizes(head_dim=16, tie_word_embeddings=True)),
    Form("qwen3 bias", "qwen3", sizes(head_dim=16, attention_bias=True)),
    Form("gemma2", "gemma2", sizes(head_dim=20, num_hidden_layers=5, sliding_window=6, query_pre_attn_scalar=17)),
    Form("gemma2 other caps", "gemma2", sizes(head_dim=16, sliding_window=6, attn_logit_softcapping=3.0, final_logit_softcapping=2.0)),
    Form("gemma2 no caps", "gemma2", sizes(head_dim=16, sliding_window=6, attn_logit_softcapping=None, final_logit_softcapping=None)),
    Form("gpt_oss", "gpt_oss", OSS | YARN),
    Form("gpt_oss odd layers, no rope scaling", "gpt_oss", OSS | rope("default") | dict(num_hidden_layers=3, swiglu_limit=1.0), dtype=torch.bfloat16,
         styles=("current", "bare")),   # without rope_scaling transformers takes YaRN
    Form("gpt_oss MXFP4", "gpt_oss", OSS | YARN | dict(hidden_size=64, intermediate_size=96), dtype=torch.bfloat16, edit_weights=pack_experts,
         edit_config=lambda c: c | dict(quantization_config=dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn"]))),
    Form("falcon 7b", "falcon", FALCON | dict(multi_query=True, parallel_attn=True, bias=False, alibi=False)),
    Form("falcon 40b", "falcon", FALCON | dict(new_decoder_architecture=True, num_kv_heads=2)),
    Form("falcon 11b, one norm", "falcon", FALCON | dict(new_decoder_architecture=True, num_kv_heads=3, num_ln_in_parallel_attn=1, ffn_hidden_size=100)),
    Form("falcon rw", "falcon", FALCON | dict(alibi=True, multi_query=False, parallel_attn=False, bias=True), attention="sdpa"),
    Form("falcon rw, 12 heads", "falcon", FALCON | dict(num_attention_heads=12, alibi=True, multi_query=False, parallel_attn=False, bias=True), attention="sdpa"),
    Form("falcon rw, long", "falcon", FALCON | dict(num_attention_heads=12, alibi=True, multi_query=False, parallel_attn=False, bias=True), T=700, attention="sdpa"),
    Form("falcon 7b alibi", "falcon", FALCON | dict(alibi=True, multi_query=True, parallel_attn=True, bias=False), attention="sdpa"),
    Form("falcon multi-head rope", "falcon", FALCON | dict(multi_query=False, parallel_attn=True, bias=True, alibi=False)),
    Form("mpt", "mpt", MPT),
    Form("mpt 6 heads", "mpt", MPT | dict(n_heads=6)),
    Form("mpt 3 heads, clip, scale", "mpt", MPT | dict(n_heads=3, attn_config=dict(clip_qkv=0.5, softmax_scale=0.4))),
    Form("opt", "opt", OPT, dtype=torch.float16),
    Form("opt 350m", "opt", OPT | dict(do_layer_norm_before=False, word_embed_proj_dim=24)),
    Form("opt no biases, no affine", "opt", OPT | dict(enable_bias=False, layer_norm_elementwise_affine=False)),
    Form("opt no final norm", "opt", OPT | dict(_remove_final_layer_norm=True)),
    Form("phi 1.5", "phi", sizes(num_key_value_heads=4, **rope("default", partial_rotary_factor=0.5))),
    Form("phi qk_layernorm", "phi", sizes(qk_layernorm=True), refused="qk_layernorm"),
    Form("pythia not parallel, whole rope", "gpt_neox", neox_sizes(use_parallel_residual=False, **rope("default", partial_rotary_factor=1.0)),
         classic_names={"partial_rotary_factor": "rotary_pct", "rope_theta": "rotary_emb_base"}),
    Form("pythia f16", "gpt_neox", neox_sizes(**rope("default", partial_rotary_factor=0.34)), dtype=torch.float16,
         classic_names={"partial_rotary_factor": "rotary_pct", "rope_theta": "rotary_emb_base"}),
    Form("pythia no attention bias, tied", "gpt_neox", neox_sizes(attention_bias=False, tie_word_embeddings=True, num_attention_heads=6),
         classic_names={"partial_rotary_factor": "rotary_pct", "rope_theta": "rotary_emb_base"}),
    Form("gpt2", "gpt2", GPT2),
    Form("gpt2 n_inner, relu", "gpt2", GPT2 | dict(n_inner=100, activation_function="relu")),
    Form("gpt2 bare names, tables", "gpt2", GPT2, edit_weights=lambda w: {k.removeprefix("transformer."): v for k, v in w.items()} | {
        f"h.{l}.attn.{n}": v for l in range(3) for n, v in (("bias", torch.ones(1, 1, 64, 64)), ("masked_bias", torch.tensor(-1e4)))}),
    Form("gpt2 scaled by layer", "gpt2", GPT2 | dict(scale_attn_by_inverse_layer_idx=True), refused="scale_attn_by_inverse_layer_idx"),
    Form("qwen3_moe", "qwen3_moe", MOE),
    Form("qwen3_moe not normalised", "qwen3_moe", MOE | dict(norm_topk_prob=False), dtype=torch.bfloat16),
    Form("qwen3_moe window", "qwen3_moe", MOE | dict(use_sliding_window=True, sliding_window=6)),
    Form("qwen3_moe some layers dense", "qwen3_moe", MOE | dict(mlp_only_layers=[1]), refused="mlp_only_layers"),
    Form("gemma", "gemma", sizes(head_dim=20)),
    Form("gemma, first files", "gemma", sizes(head_dim=16, hidden_act="gelu")),
    Form("gemma3", "gemma3_text", sizes(head_dim=16, num_hidden_layers=7, sliding_window=6, query_pre_attn_scalar=17)),
    Form("gemma3 4b", "gemma3_text", sizes(head_dim=16, num_hidden_layers=7, sliding_window=6, final_logit_softcapping=5.0, rope_parameters=dict(
        full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6), sliding_attention=dict(rope_type="default", rope_theta=1e4)))),
    Form("olmo2", "olmo2", sizes()),
    Form("phi3", "phi3", sizes(sliding_window=10)),
    Form("phi3 long, short text", "phi3", sizes(original_max_position_embeddings=32, **LONG)),
    Form("phi3 long, long text", "phi3", sizes(original_max_position_embeddings=16, **LONG)),
    Form("phi4 mini", "phi3", sizes(tie_word_embeddings=True, num_attention_heads=3, num_key_value_heads=1,
                                    **rope("default", partial_rotary_factor=0.75))),
    Form("stablelm", "stablelm", sizes(use_qkv_bias=True, num_attention_heads=3, num_key_value_heads=1)),
    Form("stablelm parallel", "stablelm", sizes(use_parallel_residual=True, **rope("default", partial_rotary_factor=0.5))),
    Form("starcoder2", "starcoder2", sizes(sliding_window=8, num_key_value_heads=1)),
    Form("starcoder2 untied, no biases", "starcoder2", sizes(use_bias=False, tie_word_embeddings=False, num_key_value_heads=4)),
    Form("bloom 6 heads", "bloom", BLOOM),
    Form("bloom bare names", "bloom", BLOOM | dict(n_head=12), edit_weights=lambda w: {k.removeprefix("transformer."): v for k, v in w.items()}),
    Form("olmo3", "olmo3", sizes(sliding_window=6, num_hidden_layers=5, rope_parameters=dict(
        full_attention=dict(rope_type="yarn", rope_theta=5e5, factor=8.0, original_max_position_embeddings=16),
        sliding_attention=dict(rope_type="default", rope_theta=5e5))), styles=("current", "bare")),
    Form("smollm3", "smollm3", sizes(num_hidden_layers=5, **rope("default", rope_theta=2e6))),
    Form("smollm3 window", "smollm3", sizes(no_rope_layers=[1, 0, 1], use_sliding_window=True, sliding_window=6, tie_word_embeddings=False)),
    Form("granite", "granite", sizes(embedding_multiplier=3.0, logits_scaling=2.5, residual_multiplier=0.3, attention_multiplier=0.2)),
    Form("cohere", "cohere", sizes()),
    Form("cohere qk_norm", "cohere", sizes(use_qk_norm=True), refused="use_qk_norm"),
    Form("gptj", "gptj", dict(vocab_size=160, n_embd=48, n_layer=3, n_head=4, n_positions=64, rotary_dim=6)),
]
