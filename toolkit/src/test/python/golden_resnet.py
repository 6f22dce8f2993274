#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/resnet: tiny random residual networks, what transformers
computes on random images, and adapters of Hugging Face PEFT on their convolutions.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, Python 3.11
How to get them: as golden_vit.py says.
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_resnet.py
"""

import json
import shutil
import sys
import zlib
from pathlib import Path

sys.dont_write_bytecode = True

import torch  # noqa: E402
import transformers  # noqa: E402
from peft import LoHaConfig, LoKrConfig, LoraConfig, PeftModel, get_peft_model  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import golden_adapters as adapters  # noqa: E402

TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "resnet"
SIZES = {"embedding_size": 6, "hidden_sizes": [8, 16], "depths": [1, 2], "num_labels": 3}
CASES = {
    "features": ("ResNetModel", {"layer_type": "basic", "num_channels": 1}),
    "basic": ("ResNetForImageClassification", {"layer_type": "basic", "embedding_size": 8}),
    "bottleneck": ("ResNetForImageClassification", {"downsample_in_first_stage": True}),
    "early": (
        "ResNetForImageClassification",
        {"downsample_in_bottleneck": True, "hidden_act": "gelu"},
    ),
}
CONVOLUTIONS = {"target_modules": ["convolution"]}
SAVED = {**CONVOLUTIONS, "modules_to_save": ["classifier"]}
ADAPTERS = {
    "lora": ("bottleneck", LoraConfig(r=2, lora_alpha=3, **SAVED)),
    "dora": ("bottleneck", LoraConfig(r=2, lora_alpha=3, use_dora=True, **SAVED)),
    "loha": ("bottleneck", LoHaConfig(r=2, alpha=3, **CONVOLUTIONS)),
    "lokr_core": (
        "basic",
        LoKrConfig(r=2, alpha=3, use_effective_conv2d=True, **CONVOLUTIONS),
    ),
}


def pixels(config):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(3, config.num_channels, 24, 20, generator=generator)


def outputs(model, images):
    with torch.no_grad():
        out = model(images)
    keys = ("last_hidden_state", "pooler_output", "logits")
    return {k: getattr(out, k).contiguous() for k in keys if getattr(out, k, None) is not None}


def make(name):
    architecture, more = CASES[name]
    torch.manual_seed(zlib.crc32(name.encode()))
    config = transformers.ResNetConfig(**{**SIZES, **more})
    model = getattr(transformers, architecture)(config).float().eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.2 * torch.randn_like(p))
        for key, b in model.named_buffers():
            if key.endswith("running_mean"):
                b.add_(0.3 * torch.randn_like(b))
            if key.endswith("running_var"):
                b.mul_(torch.rand_like(b) + 0.5)
    folder = TARGET / name
    model.save_pretrained(folder)
    images = pixels(config)
    save_file({"pixel_values": images, **outputs(model, images)}, folder / "io.safetensors")


def load(name):
    return getattr(transformers, CASES[name][0]).from_pretrained(TARGET / name).eval()


def adapt(name):
    base, config = ADAPTERS[name]
    adapters.seed(name)
    with adapters.quiet():
        model = get_peft_model(load(base), config)
        adapters.perturb(model)
        folder = TARGET / name
        adapters.save(model, folder)
        images = pixels(model.config)
        tuned = PeftModel.from_pretrained(load(base), folder).eval()
        found = outputs(tuned, images)
        merged = outputs(tuned.merge_and_unload(), images)
        plain = outputs(load(base), images)
    assert (found["logits"] - merged["logits"]).abs().max() < 1e-4
    assert (found["logits"] - plain["logits"]).abs().max() > 1e-2
    written = json.loads((folder / "adapter_config.json").read_text())
    written["base_model_name_or_path"] = base
    (folder / "adapter_config.json").write_text(json.dumps(written, indent=2, sort_keys=True))
    save_file({"pixel_values": images, **found}, folder / "io.safetensors")


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
