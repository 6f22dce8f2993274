#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/encoders: tiny random encoders of each family and head with
what transformers computes on them, with padding on either side; LoRA adapters of PEFT's on some.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 peft==0.21.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_encoders.py [NAME ...]
"""

import json
import os
import shutil
import sys
import zlib
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
sys.dont_write_bytecode = True

import torch  # noqa: E402
import transformers  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers.models.deberta_v2.modeling_deberta_v2 import (  # noqa: E402
    make_log_bucket_position,
)

import golden_adapters as adapters  # noqa: E402

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
MODERNBERT = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "local_attention": 6,
    "global_attn_every_n_layers": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
}
MODERNBERT_BIASED = {
    **MODERNBERT,
    "norm_bias": True,
    "attention_bias": True,
    "mlp_bias": True,
    "classifier_bias": True,
    "classifier_pooling": "mean",
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
    },
}
DEBERTA_V3 = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "relative_attention": True,
    "pos_att_type": "p2c|c2p",
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_buckets": 4,
    "position_biased_input": False,
}
DEBERTA_OWN = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "max_relative_positions": 6,
    "type_vocab_size": 2,
    "position_biased_input": True,
}
OLD = ("modernbert",)  # written as published files are
CASES = {
    "bert_tokens": ("BertConfig", "BertForTokenClassification", {}),
    "bert_questions": ("BertConfig", "BertForQuestionAnswering", {"num_labels": 2}),
    "roberta": ("RobertaConfig", "RobertaModel", ROBERTA),
    "roberta_sequence": ("RobertaConfig", "RobertaForSequenceClassification", ROBERTA),
    "roberta_tokens": ("RobertaConfig", "RobertaForTokenClassification", ROBERTA),
    "distilbert": ("DistilBertConfig", "DistilBertModel", DISTILBERT),
    "distilbert_sequence": (
        "DistilBertConfig",
        "DistilBertForSequenceClassification",
        {**DISTILBERT, "dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0},
    ),
    "distilbert_tokens": ("DistilBertConfig", "DistilBertForTokenClassification", DISTILBERT),
    "distilbert_questions": (
        "DistilBertConfig",
        "DistilBertForQuestionAnswering",
        {**DISTILBERT, "num_labels": 2},
    ),
    "modernbert": (
        "ModernBertConfig",
        "ModernBertModel",
        {**MODERNBERT, "global_rope_theta": 700.0, "local_rope_theta": 60.0},
    ),
    "modernbert_sequence": ("ModernBertConfig", "ModernBertForSequenceClassification", MODERNBERT_BIASED),
    "modernbert_first": ("ModernBertConfig", "ModernBertForSequenceClassification", MODERNBERT),
    "modernbert_tokens": ("ModernBertConfig", "ModernBertForTokenClassification", MODERNBERT),
    "modernbert_questions": (
        "ModernBertConfig",
        "ModernBertForQuestionAnswering",
        {**MODERNBERT, "num_labels": 2},
    ),
    "deberta": ("DebertaV2Config", "DebertaV2Model", {**DEBERTA_OWN, "pos_att_type": ["p2c"]}),
    "deberta_plain": ("DebertaV2Config", "DebertaV2Model", {"hidden_size": 16, "intermediate_size": 24}),
    "deberta_sequence": (
        "DebertaV2Config",
        "DebertaV2ForSequenceClassification",
        {**DEBERTA_V3, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    ),
    "deberta_tokens": ("DebertaV2Config", "DebertaV2ForTokenClassification", DEBERTA_OWN),
    "deberta_questions": (
        "DebertaV2Config",
        "DebertaV2ForQuestionAnswering",
        {**DEBERTA_V3, "pos_att_type": "c2p", "num_labels": 2},
    ),
}
ADAPTED = {  # targets that PEFT has no usual ones for are named
    "modernbert_sequence": ["Wqkv"],
    "deberta_sequence": None,
    "distilbert_sequence": ["q_lin", "v_lin"],
}
NOISE = {"distilbert_sequence": 0.05}  # its classifier of two layers makes large scores of more
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
    if name in OLD:
        kinds = written.pop("rope_parameters")
        written["global_rope_theta"] = kinds["full_attention"]["rope_theta"]
        written["local_rope_theta"] = kinds["sliding_attention"]["rope_theta"]
        assert written.pop("layer_types") == config.layer_types
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


def adapt(name):
    """A LoRA adapter with a trained classifier, as PEFT writes it, and what it gives."""
    folder = TARGET / f"{name}_lora"
    shutil.rmtree(folder, ignore_errors=True)
    base = getattr(transformers, CASES[name][1]).from_pretrained(TARGET / name).float().eval()
    base.set_attn_implementation("eager")
    adapters.seed(folder.name)
    config = LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=4, target_modules=ADAPTED[name])
    model = get_peft_model(base, config).eval()
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(NOISE.get(name, 0.2) * torch.randn_like(p))
    adapters.save(model, folder)
    file = folder / "adapter_config.json"
    written = {**json.loads(file.read_text()), "base_model_name_or_path": name}
    file.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
    given, io = load_file(TARGET / name / "io.safetensors"), {}
    for side in ("right", "left"):
        ids, mask = given[f"{side}.input_ids"], given[f"{side}.attention_mask"]
        with torch.no_grad():
            io[f"{side}.logits"] = model(input_ids=ids, attention_mask=mask).logits.contiguous()
    save_file(io, folder / "io.safetensors")


def distances():
    """Rows of DeBERTa's table of positions, for i - j from -reach to reach."""
    out = {}
    for buckets, farthest, reach in ((256, 512, 560), (32, 128, 140), (4, 20, 30), (0, 20, 30)):
        both = torch.arange(-reach, reach + 1)
        bucket = make_log_bucket_position(both, buckets, farthest).long() if buckets else both
        span = buckets or farthest
        out[f"{buckets}.{farthest}"] = torch.clamp(bucket + span, 0, 2 * span - 1)
    save_file(out, TARGET / "distances.safetensors")


def main():
    torch.set_num_threads(1)
    names = sys.argv[1:] or CASES
    for name in names:
        shutil.rmtree(TARGET / name, ignore_errors=True)
        make(name)
        if name in ADAPTED:
            adapt(name)
    distances()
    print(f"{len(names)} models in {TARGET}")


if __name__ == "__main__":
    main()
