#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/gpt2: tiny random GPT-2 models, what transformers computes on
them (padding on either side, positions counted by the mask, greedy continuations), and LoRA adapters of
Hugging Face PEFT on them.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 peft==0.21.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_gpt2.py
"""

import json
import shutil
import sys
import zlib
from pathlib import Path

sys.dont_write_bytecode = True

import torch  # noqa: E402
import transformers  # noqa: E402
from peft import (  # noqa: E402
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    get_peft_model,
)
from safetensors.torch import save_file  # noqa: E402

import golden_adapters as adapters  # noqa: E402

TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "gpt2"
VOCABULARY, STEPS, PAD = 64, 32, 0
SIZES = {
    "vocab_size": VOCABULARY,
    "n_embd": 24,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 48,
    "initializer_range": 0.3,
    "pad_token_id": PAD,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "num_labels": 3,
}
# name: class, sizes, whether names in the file have the prefix
CASES = {
    "lm": ("GPT2LMHeadModel", {}, True),
    "lm_published": ("GPT2LMHeadModel", {}, False),  # as the first GPT-2 files are
    "lm_scaled": (
        "GPT2LMHeadModel",
        {
            "n_inner": 40,
            "scale_attn_by_inverse_layer_idx": True,
            "scale_attn_weights": False,
            "activation_function": "relu",
            "tie_word_embeddings": False,
        },
        True,
    ),
    "features": ("GPT2Model", {}, True),
    "sequence": ("GPT2ForSequenceClassification", {}, True),
    "tokens": ("GPT2ForTokenClassification", {}, True),
    "questions": ("GPT2ForQuestionAnswering", {}, True),
}
ADAPTERS = {
    "lora": ("lm", dict(r=4, lora_alpha=8, task_type="CAUSAL_LM")),
    "lora_all": (
        "lm",
        dict(
            r=3,
            lora_alpha=6,
            use_rslora=True,
            task_type="CAUSAL_LM",
            target_modules=["c_attn", "c_proj", "c_fc"],
        ),
    ),
    "lora_score": ("sequence", dict(r=2, lora_alpha=4, task_type="SEQ_CLS")),
    "prompt": ("lm", dict(num_virtual_tokens=4, task_type="CAUSAL_LM")),
    "prefix": ("lm", dict(num_virtual_tokens=3, task_type="CAUSAL_LM")),
}
KINDS = {"lora": LoraConfig, "prompt": PromptTuningConfig, "prefix": PrefixTuningConfig}
LENGTHS = (9, 5, 7)
OUTPUTS = ("last_hidden_state", "logits", "start_logits", "end_logits")


def padded(rows, width, left):
    ids, mask = [], []
    for row in rows:
        gap = width - len(row)
        ids.append([PAD] * gap + row if left else row + [PAD] * gap)
        mask.append([0] * gap + [1] * len(row) if left else [1] * len(row) + [0] * gap)
    return torch.tensor(ids), torch.tensor(mask)


def rows():
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(3, VOCABULARY, (n,), generator=generator).tolist() for n in LENGTHS]


def outputs(model, **inputs):
    with torch.no_grad():
        out = model(**inputs)
    return {k: getattr(out, k).contiguous() for k in OUTPUTS if getattr(out, k, None) is not None}


def io(model):
    found = {}
    for side in ("right", "left"):
        ids, mask = padded(rows(), max(LENGTHS), side == "left")
        counted = (mask.cumsum(1) - 1).clamp(min=0)
        found[f"{side}.input_ids"], found[f"{side}.attention_mask"] = ids, mask
        found[f"{side}.position_ids"] = counted
        both = {"input_ids": ids, "attention_mask": mask}
        for key, value in outputs(model, **both).items():
            found[f"{side}.{key}"] = value
        for key, value in outputs(model, **both, position_ids=counted).items():
            found[f"{side}.counted.{key}"] = value
    if hasattr(model, "lm_head") and hasattr(model, "generate"):
        ids, mask = padded(rows(), max(LENGTHS), True)
        for label, options in {"greedy": {}, "penalised": {"repetition_penalty": 1.3}}.items():
            with torch.no_grad():
                out = model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=STEPS,
                    do_sample=False,
                    **options,
                )
            found[f"{label}.tokens"] = out[:, ids.shape[1] :].contiguous()
    return found


def make(name):
    architecture, more, prefixed = CASES[name]
    torch.manual_seed(zlib.crc32(name.encode()))
    config = transformers.GPT2Config(**{**SIZES, **more})
    config._attn_implementation = "eager"
    model = getattr(transformers, architecture)(config).float().eval()
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
    written = config.to_dict()
    written["architectures"] = [architecture]
    if not prefixed:
        weights = {n.removeprefix("transformer."): p for n, p in weights.items()}
        for i in range(config.n_layer):  # the causal mask, which lies beside the weights there
            n = config.n_positions
            weights[f"h.{i}.attn.bias"] = torch.ones(n, n).tril().view(1, 1, n, n)
        del written["tie_word_embeddings"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")
    save_file(io(model), folder / "io.safetensors")


def load(name):
    architecture = CASES[name][0]
    model = getattr(transformers, architecture).from_pretrained(TARGET / name)
    return model.eval()


def adapt(name):
    base, options = ADAPTERS[name]
    adapters.seed(name)
    with adapters.quiet():
        model = get_peft_model(load(base), KINDS[name.split("_")[0]](**options))
        adapters.perturb(model)
        folder = TARGET / name
        adapters.save(model, folder)
        tuned = PeftModel.from_pretrained(load(base), folder).eval()
        ids, mask = padded(rows(), max(LENGTHS), False)
        both = {"input_ids": ids, "attention_mask": mask}
        found = outputs(tuned, **both)
        if hasattr(tuned, "merge_and_unload"):
            merged = outputs(tuned.merge_and_unload(), **both)
            assert (found["logits"] - merged["logits"]).abs().max() < 1e-4
        plain = outputs(load(base), **both)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base
    if "target_modules" in config:
        config["target_modules"].sort()  # a set has no order
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
    length = ids.shape[1]
    if found["logits"].dim() == 3:
        found["logits"] = found["logits"][:, -length:].contiguous()  # of the text alone
    assert (found["logits"] - plain["logits"]).abs().max() > 1e-2
    save_file({**both, "logits": found["logits"]}, folder / "io.safetensors")


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    for name in CASES:
        make(name)
    for name in ADAPTERS:
        adapt(name)
    print(f"{len(CASES)} models and {len(ADAPTERS)} adapters in {TARGET}")


if __name__ == "__main__":
    main()
