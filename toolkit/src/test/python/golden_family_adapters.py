#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/family_adapters: adapters that Hugging Face PEFT makes on
models of golden/families, with the logits it computes. LoRA acts where PEFT's own defaults say
(where it knows none, on q and v or what holds them), VeRA on every linear layer.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, Python 3.11
How to get them: as golden_families.py says, and
    venv/bin/pip install peft==0.21.0
How to run, after golden_families.py, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_family_adapters.py
or, to make some of them only:
    venv/bin/python toolkit/src/test/python/golden_family_adapters.py mixtral qwen2_moe
"""

import json
import shutil
import sys
import zlib
from pathlib import Path

import torch
from peft import LoraConfig, VeraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

GOLDEN = Path(__file__).resolve().parent.parent / "resources" / "golden"
TARGET = GOLDEN / "family_adapters"

# where PEFT has no default of its own
TARGETS = {
    "smollm3": ["q_proj", "v_proj"],
    "phi3_partial": ["qkv_proj"],
    "mixtral": ["q_proj", "v_proj"],
    "qwen2_moe": ["q_proj", "v_proj"],
    "qwen3_moe": ["q_proj", "v_proj"],
}
# PEFT takes names of layers beside experts for those of experts
ALL = {f: ["q_proj", "k_proj", "v_proj", "o_proj"] for f in ("qwen2_moe", "qwen3_moe")}
# LoRA on what is no layer but a parameter: experts, and the router before them
PARAMETERS = {
    "mixtral": ["experts.gate_up_proj", "experts.down_proj"],
    "qwen2_moe": ["down_proj"],
    "qwen3_moe": ["model.layers.2.mlp.experts.gate_up_proj", "experts.down_proj", "gate.weight"],
}
MODULES = {"mixtral": [], "qwen2_moe": ["q_proj"], "qwen3_moe": r".*\.q_proj"}
FAMILIES = ("smollm3", "phi3_partial", "gemma2", "gemma3", "gpt_neox", "opt", *PARAMETERS)


def configs(family):
    experts = LoraConfig(
        r=2,
        lora_alpha=3,
        target_modules=MODULES.get(family),
        target_parameters=PARAMETERS.get(family),
        rank_pattern={"gate_up_proj": 3},
        task_type="CAUSAL_LM",
    )
    return {
        **({"experts": experts} if family in PARAMETERS else {}),
        "lora": LoraConfig(
            r=4, lora_alpha=8, target_modules=TARGETS.get(family), task_type="CAUSAL_LM"
        ),
        "vera": VeraConfig(r=8, target_modules=ALL.get(family, "all-linear"), task_type="CAUSAL_LM"),
    }


def in_order(file):
    """PEFT keeps the targets in a set, whose order differs from run to run."""
    config = json.loads(file.read_text())
    for key in ("target_modules", "target_parameters"):
        if isinstance(config.get(key), list):
            config[key].sort()
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def make(family):
    folder = GOLDEN / "families" / family
    inputs = load_file(folder / "io.safetensors")
    ids, mask = inputs["right.input_ids"], inputs["right.attention_mask"]
    io = {"input_ids": ids, "attention_mask": mask}
    for name, config in configs(family).items():
        torch.manual_seed(zlib.crc32(f"{family} {name}".encode()))
        base = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
        model = get_peft_model(base.float(), config).eval()
        with torch.no_grad():
            for p in model.parameters():
                if p.requires_grad:
                    p.add_(0.2 * torch.randn_like(p))
            io[f"{name}.logits"] = model(input_ids=ids, attention_mask=mask).logits
        model.peft_config["default"].base_model_name_or_path = family
        model.save_pretrained(TARGET / family / name)
        (TARGET / family / name / "README.md").unlink()
        in_order(TARGET / family / name / "adapter_config.json")
    save_file(io, TARGET / family / "io.safetensors")


def main():
    torch.set_num_threads(1)
    families = sys.argv[1:] or FAMILIES
    for family in families:
        shutil.rmtree(TARGET / family, ignore_errors=True)
        make(family)
    print(f"adapters of {len(families)} families in {TARGET}")


if __name__ == "__main__":
    main()
