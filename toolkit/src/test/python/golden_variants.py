"""Cases beyond golden_cases: what is particular to GPT-2 and T5, variants of other methods than LoRA,
and what PEFT refuses.

GPT-2 keeps the weights of its layers as [in, out] (Conv1D, fan_in_fan_out). LoRA, AdaLoRA, VeRA and
IA3 know such layers; LoHa, LoKr and GLoRA do not and sit on the head, the one linear layer there is.
T5 has no biases, so bias="all" is nothing there. Its embeddings have no case: with this version of
transformers the stacks read tables of their own, tied to `shared` by their tensor only. PEFT then
adapts either `shared`, of which the outputs know nothing until it is merged (and moves everything),
or encoder.embed_tokens and decoder.embed_tokens apart.
"""

import copy

from peft import (
    GloraConfig,
    IA3Config,
    LNTuningConfig,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    VeraConfig,
)

import golden_bases
from golden_cases import NAMES, SHAPES, Case

TIED = "the embedding and the head share one tensor: merging into it changes both"
LOW = dict(r=3, alpha=5)
DEFAULTS = {
    LoraConfig: dict(r=4, lora_alpha=8),
    VeraConfig: dict(r=6, d_initial=0.1),
    LoHaConfig: LOW,
    LoKrConfig: LOW,
    GloraConfig: dict(r=3),
}


def config(base, kind, **settings):
    task = golden_bases.task_type(base)
    whole = {**DEFAULTS.get(kind, {}), "task_type": task, **settings}
    return lambda: kind(**copy.deepcopy(whole))  # PEFT adds to the lists that it is given


def case(base, name, kind, targets, tags="", merged="same", note=None, wrong=None, **settings):
    method = name.partition("_")[0]
    return Case(
        base,
        name,
        config(base, kind, target_modules=targets, **settings),
        [*(["lora"] if method == "dora" else []), method, *tags.split()],
        merged=merged,
        note=note,
        wrong=wrong,
    )


def _gpt2():
    attention, head = ["c_attn"], ["lm_head"]
    tied = dict(merged="stored", wrong=TIED)

    def lora(name, tags="", targets=attention, base="gpt2", **settings):
        return case(base, name, LoraConfig, targets, tags, **settings)

    return [
        lora("lora_bias_all", "bias", bias="all"),
        lora("lora_bias_only", "bias", ["c_attn", "c_fc"], bias="lora_only"),
        lora("lora_lora_bias", "lora_bias", ["attn.c_proj", "c_fc"], lora_bias=True),
        lora("lora_save_lm_head", "tied modules_to_save", modules_to_save=["lm_head"]),
        lora("lora_save_norm", "modules_to_save", modules_to_save=["ln_f"]),
        lora("lora_positions", "embedding", ["wpe", "c_attn"]),
        lora("lora_embedding", "tied embedding", ["wte", "c_attn"], **tied),
        lora("lora_embedding", "embedding", ["wte", "wpe"], "gpt2_untied"),
        lora("lora_head", "embedding", ["lm_head", "c_attn"], "gpt2_untied"),
        lora("dora_embedding", "embedding", ["wte", "c_attn"], "gpt2_untied", use_dora=True),
        lora("dora_head", "", ["lm_head", "c_fc"], "gpt2_untied", use_dora=True),
        case("gpt2", "ln_tuning_some", LNTuningConfig, ["ln_1", "ln_f"]),
        case("gpt2_untied", "loha", LoHaConfig, head),
        case("gpt2_untied", "lokr", LoKrConfig, head),
        case("gpt2_untied", "lokr_both", LoKrConfig, head, r=1, decompose_both=True),
        case("gpt2_untied", "glora", GloraConfig, head),
        case("gpt2_untied", "glora_vectors", GloraConfig, head, config_A_B="vector"),
    ]


def _t5():
    both = ["q", "v"]

    def lora(name, tags="", targets=both, base="t5", **settings):
        return case(base, name, LoraConfig, targets, tags, **settings)

    return [
        lora("lora_cross_attention", "regex", r".*EncDecAttention\.(q|v)"),
        lora("lora_positions", "embedding", ["relative_attention_bias", "q"]),
        lora("lora_save_lm_head", "tied modules_to_save", modules_to_save=["lm_head"]),
        lora("lora_save_norm", "modules_to_save", modules_to_save=["final_layer_norm"]),
        lora(
            "lora_lora_bias",
            "lora_bias",
            lora_bias=True,
            merged="fails",
            note="no bias in the base, so PEFT refuses to merge",
        ),
        lora("lora_head", "tied", ["lm_head", "q"], merged="stored", wrong=TIED),
        lora("lora_head", "", ["lm_head", "wi_0"], "t5_gated"),
        lora("dora", "rslora", "all-linear", "t5_gated", use_dora=True, use_rslora=True),
        case("t5", "ln_tuning_some", LNTuningConfig, ["layer_norm"]),
        case("t5_gated", "ia3", IA3Config, ["k", "v", "wi_1"], feedforward_modules=["wi_1"]),
        case("t5_gated", "lokr", LoKrConfig, ["o", "wi_0"], r=1, decompose_both=True),
    ]


def _everywhere():
    """Patterns, layers, exclusions and whole modules with every method."""
    cases = []
    whole = {"bert": "pooler.dense", "llama": "lm_head", "gpt2": "ln_f", "t5": "final_layer_norm"}
    for base in SHAPES:
        n = NAMES[base]
        q, v, up = n["q"], n["v"], n["up"]
        save = dict(modules_to_save=[whole[base]])
        cases += [
            case(base, "dora_save", LoraConfig, [q], use_dora=True, **save),
            case(base, "vera_layers", VeraConfig, [q], "layers", layers_to_transform=[0], **save),
            case(
                base,
                "ia3_exclude",
                IA3Config,
                [v, up],
                "exclude",
                feedforward_modules=[],
                exclude_modules=[v],
            ),
        ]
        if base == "gpt2":
            continue
        alphas = dict(alpha_pattern={q: 7, up: 4})
        ranks = dict(rank_pattern={q: 1, up: 2}, decompose_both=True)
        cases += [
            case(base, "loha_alphas", LoHaConfig, [q, up], "patterns", **alphas),
            case(base, "lokr_patterns", LoKrConfig, [q, up], "patterns", **ranks, **alphas),
        ]
    return cases


def all_cases():
    return [*_gpt2(), *_t5(), *_everywhere()]


def refused():
    """Cases that PEFT refuses, and words of its error."""
    conv = ["c_attn"]
    return [
        (case("gpt2", "loha", LoHaConfig, conv), "not supported"),
        (case("gpt2", "lokr", LoKrConfig, conv), "not supported"),
        (case("gpt2", "glora", GloraConfig, conv), "does not support"),
        # takes the transposed weight for the weight: A and B come out in each other's places
        (case("gpt2", "lora_init_olora", LoraConfig, conv, init_lora_weights="olora"), "shapes"),
    ]
