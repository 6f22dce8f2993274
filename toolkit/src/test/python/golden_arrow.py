#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/arrow: three LoRAs on golden/hf/base/llama, and the logits
that Hugging Face PEFT's Arrow routing gives with them for the base's inputs.

PEFT looks for prototypes by 15 steps of power iteration; each LoRA has one direction well above the
others, so that these are enough. The folder `router` is what PEFT saves of the router itself.

Versions, and how to get them: see golden.py. How to run, from anywhere, without network:
    venv/bin/python toolkit/src/test/python/golden_arrow.py
"""

import shutil
import sys
import warnings
from pathlib import Path

sys.dont_write_bytecode = True

import torch  # noqa: E402
from peft import ArrowConfig, LoraConfig, create_arrow_model, get_peft_model  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import golden_adapters as adapters  # noqa: E402
import golden_bases as bases  # noqa: E402

GOLDEN = Path(__file__).resolve().parent.parent / "resources" / "golden"
TARGET = GOLDEN / "arrow"
NAMES = ["a", "b", "c"]


def expert(name, alpha):
    adapters.seed(f"arrow/{name}")
    config = LoraConfig(
        r=2, lora_alpha=alpha, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"
    )
    model = get_peft_model(bases.load("llama", GOLDEN / "hf"), config)
    adapters.perturb(model)
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "lora_A" in key:
                p[0] *= 6
    adapters.save(model, TARGET / name)


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    for i, name in enumerate(NAMES):
        expert(name, 2 + i)
    inputs = bases.inputs_of("llama", GOLDEN / "hf")
    out = {}
    for k, temperature in ((1, 1.0), (2, 0.7), (3, 2.0)):
        config = ArrowConfig(top_k=k, router_temperature=temperature, rng_seed=1)
        paths = [str(TARGET / n) for n in NAMES]
        model = create_arrow_model(bases.load("llama", GOLDEN / "hf"), paths, config).eval()
        out[f"top_{k}"] = bases.run("llama", model, inputs)["logits"].contiguous()
        if k == 2:
            adapters.save(model, TARGET, selected_adapters=["arrow_router"])
    (TARGET / "arrow_router").rename(TARGET / "router")
    save_file(out, TARGET / "logits.safetensors")
    for file in sorted(f for f in TARGET.rglob("*") if f.is_file()):
        file.chmod(0o644)
        print(file.relative_to(TARGET.parent), file.stat().st_size)


if __name__ == "__main__":
    main()
