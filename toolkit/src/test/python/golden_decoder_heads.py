#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/decoder_heads: for models of golden/families a classifier
of three labels (ForSequenceClassification), its weights and the logits that transformers computes.

Versions and how to get them: as golden_families.py says.
How to run, after golden_families.py, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_decoder_heads.py
"""

import json
import shutil
import zlib
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

GOLDEN = Path(__file__).resolve().parent.parent / "resources" / "golden"
TARGET = GOLDEN / "decoder_heads"
FAMILIES = (
    "llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "smollm3", "phi3",
    "gemma2", "gemma3", "gpt_neox", "opt", "opt_after",
)


def make(family):
    folder = GOLDEN / "families" / family
    torch.manual_seed(zlib.crc32(family.encode()))
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=3, attn_implementation="eager"
    )
    model = model.float().eval()
    given = load_file(folder / "io.safetensors")
    with torch.no_grad():
        model.score.weight.normal_(0, 0.3)
        io = {"score.weight": model.score.weight.detach().clone()}
        for side in ("right", "left"):
            ids, mask = given[f"{side}.input_ids"], given[f"{side}.attention_mask"]
            io[f"{side}.logits"] = model(input_ids=ids, attention_mask=mask).logits
    save_file(io, TARGET / f"{family}.safetensors")
    return type(model).__name__


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    names = {family: make(family) for family in FAMILIES}
    (TARGET / "classes.json").write_text(json.dumps(names, indent=1, sort_keys=True) + "\n")
    print(f"{len(FAMILIES)} classifiers in {TARGET}")


if __name__ == "__main__":
    main()
