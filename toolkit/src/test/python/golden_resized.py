#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/resized: two tiny encoders of texts in the layout of
sentence-transformers with what transformers' hidden states pool to, and tiny causal language models
whose token embeddings transformers resized, with their logits.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_resized.py
"""

import json
import shutil
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "resized"
WORDS = "[PAD] [UNK] [CLS] [SEP] a small model reads long and short texts of few words".split()
TEXTS = ["a small model", "texts of few words and long words", "", "model reads short texts of a"]
SIZES = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.3,
    "max_position_embeddings": 20,
}


def tokenizer(folder):
    t = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    t.add_special_tokens(WORDS[:4])
    t.normalizer = normalizers.Lowercase()
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    t.save(str(folder / "tokenizer.json"))
    return t


def write(model, folder, architecture):
    folder.mkdir(parents=True)
    tied = model.config.tie_word_embeddings and "lm_head.weight" in model.state_dict()
    weights = {n: p.contiguous().clone() for n, p in model.state_dict().items()
               if not (tied and n == "lm_head.weight")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    config["architectures"] = [architecture]
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def encoder(mode):
    torch.manual_seed(3)
    folder = TARGET / mode
    model = transformers.BertModel(transformers.BertConfig(**SIZES), add_pooling_layer=True).eval()
    write(model, folder, "BertModel")
    t = tokenizer(folder)
    (folder / "modules.json").write_text(json.dumps([
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ], indent=1) + "\n")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({
        "word_embedding_dimension": 32,
        "pooling_mode_cls_token": mode == "cls",
        "pooling_mode_mean_tokens": mode == "mean",
        "pooling_mode_max_tokens": False,
    }, indent=1) + "\n")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 8, "do_lower_case": false}\n')
    rows = []
    with torch.no_grad():
        for text in TEXTS:
            t.enable_truncation(8)
            ids = torch.tensor([t.encode(text).ids])
            hidden = model(ids).last_hidden_state[0]
            rows.append(hidden[0] if mode == "cls" else hidden.mean(0))
    save_file({"expected": torch.stack(rows)}, folder / "io.safetensors")
    (folder / "texts.json").write_text(json.dumps({"texts": TEXTS}) + "\n")


def causal(name, tied):
    torch.manual_seed(5)
    config = transformers.LlamaConfig(**SIZES, num_key_value_heads=2, tie_word_embeddings=tied)
    config._attn_implementation = "eager"
    model = transformers.LlamaForCausalLM(config).float().eval()
    folder = TARGET / name
    write(model, folder, "LlamaForCausalLM")
    io = {"input_ids": torch.tensor([[5, 39, 17, 0], [44, 42, 3, 40]])}
    for size in (45, 30):
        torch.manual_seed(5)
        other = transformers.LlamaForCausalLM(config).float().eval()
        other.load_state_dict(model.state_dict())
        other.resize_token_embeddings(size)
        with torch.no_grad():
            ids = io["input_ids"].clamp(max=size - 1)
            io[f"{size}.logits"] = other(ids).logits.contiguous()
        io[f"{size}.embeddings"] = other.get_input_embeddings().weight.detach().clone()
        io[f"{size}.head"] = other.get_output_embeddings().weight.detach().clone()
        config.vocab_size = 40
    save_file(io, folder / "io.safetensors")


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    encoder("cls")
    encoder("mean")
    causal("tied", True)
    causal("untied", False)
    print(f"4 models in {TARGET}")


if __name__ == "__main__":
    main()
