#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/vit: tiny random vision transformers, what transformers
computes on random images, and LoRA adapters of Hugging Face PEFT on them.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 peft==0.21.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_vit.py
"""

import json
import shutil
import sys
import zlib
from pathlib import Path

sys.dont_write_bytecode = True

import torch  # noqa: E402
import transformers  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import golden_adapters as adapters  # noqa: E402

TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "vit"
SIZES = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 12,
    "patch_size": 4,
    "initializer_range": 0.3,
    "num_labels": 3,
}
CASES = {
    "features": ("ViTModel", {}),
    "features_wide": (
        "ViTModel",
        {
            "image_size": [8, 12],
            "patch_size": [4, 2],
            "num_channels": 1,
            "qkv_bias": False,
            "pooler_output_size": 10,
            "pooler_act": "relu",
            "hidden_act": "gelu_new",
        },
    ),
    "classes": ("ViTForImageClassification", {}),
}
ADAPTERS = {
    "lora": ("classes", dict(target_modules=["q_proj", "v_proj"], modules_to_save=["classifier"])),
    "lora_all": (
        "classes",
        dict(target_modules=["projection", "q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"]),
    ),
}


def pixels(config):
    generator = torch.Generator().manual_seed(7)
    size = config.image_size
    size = [size, size] if isinstance(size, int) else list(size)
    return torch.randn(3, config.num_channels, *size, generator=generator)


def outputs(model, images):
    with torch.no_grad():
        out = model(images)
    keys = ("last_hidden_state", "pooler_output", "logits")
    return {k: getattr(out, k).contiguous() for k in keys if getattr(out, k, None) is not None}


def make(name):
    architecture, more = CASES[name]
    torch.manual_seed(zlib.crc32(name.encode()))
    config = transformers.ViTConfig(**{**SIZES, **more})
    config._attn_implementation = "eager"
    model = getattr(transformers, architecture)(config).float().eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.2 * torch.randn_like(p))
    folder = TARGET / name
    model.save_pretrained(folder)  # under the names that published files have
    images = pixels(config)
    save_file({"pixel_values": images, **outputs(model, images)}, folder / "io.safetensors")


def load(name):
    return getattr(transformers, CASES[name][0]).from_pretrained(TARGET / name).eval()


def adapt(name):
    base, options = ADAPTERS[name]
    adapters.seed(name)
    with adapters.quiet():
        model = get_peft_model(load(base), LoraConfig(r=2, lora_alpha=4, **options))
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
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base
    config["target_modules"].sort()  # a set has no order
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
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
