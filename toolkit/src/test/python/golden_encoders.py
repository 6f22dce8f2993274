#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/encoders: tiny random encoders of each family and head with
what transformers computes on them, with padding on either side.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_encoders.py
"""

import json
import shutil
import zlib
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "encoders"
VOCABULARY = 60
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.3,
    "max_position_embeddings": 20,
    "num_labels": 3,
}
ROBERTA = {"type_vocab_size": 1, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
DISTILBERT = {"hidden_dim": 48}
CASES = {
    "bert_tokens": ("BertConfig", "BertForTokenClassification", {}),
    "bert_questions": ("BertConfig", "BertForQuestionAnswering", {"num_labels": 2}),
    "roberta": ("RobertaConfig", "RobertaModel", ROBERTA),
    "roberta_sequence": ("RobertaConfig", "RobertaForSequenceClassification", ROBERTA),
    "roberta_tokens": ("RobertaConfig", "RobertaForTokenClassification", ROBERTA),
    "distilbert": ("DistilBertConfig", "DistilBertModel", DISTILBERT),
    "distilbert_sequence": ("DistilBertConfig", "DistilBertForSequenceClassification", DISTILBERT),
    "distilbert_tokens": ("DistilBertConfig", "DistilBertForTokenClassification", DISTILBERT),
    "distilbert_questions": (
        "DistilBertConfig",
        "DistilBertForQuestionAnswering",
        {**DISTILBERT, "num_labels": 2},
    ),
}
LENGTHS = (9, 5, 7)


def make(name):
    kind, architecture, more = CASES[name]
    torch.manual_seed(zlib.crc32(name.encode()))
    config = getattr(transformers, kind)(**{**SIZES, **more})
    config._attn_implementation = "eager"
    model = getattr(transformers, architecture)(config).float().eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.add_(0.2 * torch.randn_like(p))
    folder = TARGET / name
    folder.mkdir(parents=True)
    weights = {n: p.contiguous() for n, p in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    written = config.to_dict()
    written["architectures"] = [architecture]
    (folder / "config.json").write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")
    generator = torch.Generator().manual_seed(7)
    pad = config.pad_token_id
    rows = [torch.randint(3, VOCABULARY, (n,), generator=generator).tolist() for n in LENGTHS]
    width, io = max(LENGTHS), {}
    for side in ("right", "left"):
        ids, mask = [], []
        for row in rows:
            gap = width - len(row)
            ids.append([pad] * gap + row if side == "left" else row + [pad] * gap)
            mask.append([0] * gap + [1] * len(row) if side == "left" else [1] * len(row) + [0] * gap)
        ids, mask = torch.tensor(ids), torch.tensor(mask)
        io[f"{side}.input_ids"], io[f"{side}.attention_mask"] = ids, mask
        with torch.no_grad():
            out = model(ids, attention_mask=mask)
        for key in ("last_hidden_state", "pooler_output", "logits", "start_logits", "end_logits"):
            if getattr(out, key, None) is not None:
                io[f"{side}.{key}"] = getattr(out, key).contiguous()
    save_file(io, folder / "io.safetensors")


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    for name in CASES:
        make(name)
    print(f"{len(CASES)} models in {TARGET}")


if __name__ == "__main__":
    main()
