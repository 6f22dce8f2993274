#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/families: tiny random language models of each family with
what transformers computes on them: logits with padding on either side, and greedy continuations.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_families.py
or, to make some of them only:
    venv/bin/python toolkit/src/test/python/golden_families.py gemma2 opt
"""

import copy
import json
import shutil
import sys
import zlib
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "families"
VOCABULARY, STEPS = 96, 32

SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **more}}


def longrope(short, long):
    return rope("longrope", short_factor=short, long_factor=long)


CASES = {
    "llama": ("LlamaConfig", {"head_dim": 16, "tie_word_embeddings": True}),
    "llama_biased": ("LlamaConfig", {"attention_bias": True, "mlp_bias": True}),
    "llama_linear": ("LlamaConfig", rope("linear", factor=4.0)),
    "llama_dynamic": ("LlamaConfig", {**rope("dynamic", factor=2.0), "max_position_embeddings": 8}),
    "llama_llama3": (
        "LlamaConfig",
        rope(
            "llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=32,
        ),
    ),
    "llama_yarn": (
        "LlamaConfig",
        rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    "mistral": ("MistralConfig", {"sliding_window": 5, "head_dim": 8}),
    "mistral_wide": ("MistralConfig", {"sliding_window": None, "head_dim": 8}),
    "mixtral": (
        "MixtralConfig",
        {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 5, "head_dim": 8},
    ),
    "qwen2": ("Qwen2Config", {"tie_word_embeddings": True}),
    "qwen2_window": (
        "Qwen2Config",
        {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    ),
    "qwen2_moe": (
        "Qwen2MoeConfig",
        {
            "num_experts": 5,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 24,
            "use_sliding_window": True,
            "sliding_window": 4,
        },
    ),
    "qwen3": ("Qwen3Config", {"head_dim": 16}),
    "qwen3_moe": (
        "Qwen3MoeConfig",
        {
            "head_dim": 16,
            "num_hidden_layers": 3,
            "mlp_only_layers": [1],
            "num_experts": 6,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "norm_topk_prob": True,
        },
    ),
    "smollm3": ("SmolLM3Config", {"no_rope_layer_interval": 2}),
    "smollm3_window": (
        "SmolLM3Config",
        {"no_rope_layers": [0, 1], "use_sliding_window": True, "sliding_window": 4},
    ),
    "phi3": ("Phi3Config", {"sliding_window": 5}),
    "phi3_partial": (
        "Phi3Config",
        {
            "hidden_size": 64,
            "partial_rotary_factor": 0.75,
            "tie_word_embeddings": True,
            "initializer_range": 0.15,
        },
    ),
    "phi3_long": (
        "Phi3Config",
        {
            **longrope(short=[1.0, 1.02, 1.1, 1.3], long=[1.0, 1.5, 4.0, 9.0]),
            "max_position_embeddings": 128,
            "initializer_range": 0.2,
            "original_max_position_embeddings": 64,
        },
    ),
    "phi3_longer": (  # texts grow past what the short factors are for
        "Phi3Config",
        {
            **longrope(short=[1.0, 1.02, 1.1, 1.3], long=[1.0, 1.5, 4.0, 9.0]),
            "max_position_embeddings": 64,
            "initializer_range": 0.2,
            "original_max_position_embeddings": 12,
        },
    ),
    "gemma2": (
        "Gemma2Config",
        {
            "head_dim": 16,
            "sliding_window": 5,
            "query_pre_attn_scalar": 12,
            "attn_logit_softcapping": 3.0,
            "final_logit_softcapping": 8.0,
        },
    ),
    "gemma2_uncapped": (
        "Gemma2Config",
        {
            "head_dim": 8,
            "sliding_window": 4,
            "query_pre_attn_scalar": 8,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "layer_types": ["full_attention", "sliding_attention"],
        },
    ),
    "gemma3": (
        "Gemma3TextConfig",
        {
            "head_dim": 16,
            "sliding_window": 5,
            "query_pre_attn_scalar": 16,
            "sliding_window_pattern": 2,
        },
    ),
    "gemma3_linear": (
        "Gemma3TextConfig",
        {
            "head_dim": 16,
            "sliding_window": 4,
            "query_pre_attn_scalar": 20,
            "layer_types": ["full_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        },
    ),
    "gpt_neox": ("GPTNeoXConfig", {"hidden_size": 64, "initializer_range": 0.15}),
    "gpt_neox_serial": (
        "GPTNeoXConfig",
        {"use_parallel_residual": False, "attention_bias": False, "rotary_pct": 1.0},
    ),
    "opt": ("OPTConfig", {"ffn_dim": 48, "init_std": 0.3}),
    "opt_after": (
        "OPTConfig",
        {
            "ffn_dim": 48,
            "init_std": 0.3,
            "do_layer_norm_before": False,
            "word_embed_proj_dim": 16,
        },
    ),
}

# what is kept of the tokens so far holds no longer at some place: the reference keeps nothing
UNCACHED = ("phi3_longer",)

# files of these as transformers saves them, a tensor for each matrix of an expert; the others as
# models have them
SAVED = ("mixtral", "qwen2_moe")

# where a text is longer than a dynamic scaling was trained for, PyTorch recomputes its angles for
# every new token but keeps the keys it turned before, and so do we
LENGTHS = (9, 5, 7)


def padded(rows, width, left):
    ids, mask = [], []
    for row in rows:
        gap = width - len(row)
        ids.append([0] * gap + row if left else row + [0] * gap)
        mask.append([0] * gap + [1] * len(row) if left else [1] * len(row) + [0] * gap)
    return torch.tensor(ids), torch.tensor(mask)


def make(name):
    kind, more = CASES[name]
    torch.manual_seed(zlib.crc32(name.encode()))
    config = getattr(transformers, kind)(**{**SIZES, **more})
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.2 * torch.randn_like(p))
    folder = TARGET / name
    folder.mkdir(parents=True)
    tied = config.tie_word_embeddings
    weights = {
        n: p.contiguous()
        for n, p in model.state_dict().items()
        if not (tied and n == "lm_head.weight")
    }
    if name in SAVED:
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink()
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    written = config.to_dict()
    written["architectures"] = [type(model).__name__]
    (folder / "config.json").write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")
    generator = torch.Generator().manual_seed(7)
    rows = [torch.randint(3, VOCABULARY, (n,), generator=generator).tolist() for n in LENGTHS]
    io = {}
    with torch.no_grad():
        for side in ("right", "left"):
            ids, mask = padded(rows, max(LENGTHS), side == "left")
            io[f"{side}.input_ids"], io[f"{side}.attention_mask"] = ids, mask
            io[f"{side}.logits"] = copy.deepcopy(model)(ids, attention_mask=mask).logits
        ids, mask = padded(rows, max(LENGTHS), True)
        for label, options in {
            "greedy": {},
            "penalised": {"repetition_penalty": 1.3},
        }.items():
            # a fresh copy: transformers keeps the angles of the longest text that a model has seen
            out = copy.deepcopy(model).generate(
                ids,
                attention_mask=mask,
                max_new_tokens=STEPS,
                do_sample=False,
                use_cache=name not in UNCACHED,
                **options,
            )
            io[f"{label}.tokens"] = out[:, ids.shape[1] :].contiguous()
    save_file(io, folder / "io.safetensors")


def main():
    torch.set_num_threads(1)
    names = sys.argv[1:] or list(CASES)
    for name in names:
        shutil.rmtree(TARGET / name, ignore_errors=True)
        make(name)
    print(f"{len(names)} models in {TARGET}")


if __name__ == "__main__":
    main()
