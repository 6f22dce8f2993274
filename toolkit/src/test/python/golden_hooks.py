#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/hooks: prompts and prefixes that Hugging Face PEFT put on the
tiny models beside it, with what they compute then, greedy continuations, and the losses of a few steps of training.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 peft==0.21.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_hooks.py [name ...]
With names, only those cases are made.
"""

import json
import shutil
import sys
import warnings
import zlib
from pathlib import Path

import torch
import transformers
from peft import (
    AdaptionPromptConfig,
    CartridgeConfig,
    CPTConfig,
    MultitaskPromptTuningConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    ShadowConfig,
    get_peft_model,
)
from safetensors.torch import save_file

GOLDEN = Path(__file__).resolve().parent.parent / "resources" / "golden"
TARGET = GOLDEN / "hooks"
STEPS, TRAINED = 24, 6
LENGTHS = (9, 5, 7)


def prompt(task, **more):
    return PromptTuningConfig(task_type=task, num_virtual_tokens=4, **more)


def multitask(task, **more):
    return MultitaskPromptTuningConfig(task_type=task, num_virtual_tokens=4, num_tasks=3, **more)


def context(ids, types, **more):
    return CPTConfig(task_type="CAUSAL_LM", cpt_token_ids=ids, cpt_tokens_type_mask=types, **more)


def prefix(task, **more):
    return PrefixTuningConfig(task_type=task, num_virtual_tokens=3, **more)


def cartridge(task, **more):
    return CartridgeConfig(task_type=task, num_virtual_tokens=4, **more)


def adaption(length, layers):
    return AdaptionPromptConfig(task_type="CAUSAL_LM", adapter_len=length, adapter_layers=layers)


def shadow(task, **more):
    return ShadowConfig(task_type=task, r=4, shadow_alpha=0.5, shadow_dropout=0.0, **more)


def encoded(task, **more):
    return PromptEncoderConfig(task_type=task, num_virtual_tokens=3, encoder_hidden_size=20, **more)


# base, its transformers class, configuration
CASES = {
    "llama_prompt": ("families/llama", "AutoModelForCausalLM", prompt("CAUSAL_LM")),
    "llama_prompt_vocabulary": (
        "families/llama_biased",
        "AutoModelForCausalLM",
        prompt("CAUSAL_LM", prompt_tuning_init="SAMPLE_VOCAB"),
    ),
    "mistral_prompt": ("families/mistral", "AutoModelForCausalLM", prompt("CAUSAL_LM")),
    "llama_multitask": ("families/llama", "AutoModelForCausalLM", multitask("CAUSAL_LM", num_ranks=2)),
    "gpt2_multitask": ("gpt2/lm", "AutoModelForCausalLM", multitask("CAUSAL_LM")),
    "bert_multitask": ("hf/base/bert", "AutoModelForSequenceClassification", multitask("SEQ_CLS")),
    "llama_cpt": (
        "families/llama",
        "AutoModelForCausalLM",
        context(
            [5, 9, 17, 4, 30, 31, 5, 8, 4, 12],
            [1, 2, 2, 3, 4, 4, 5, 6, 7, 8],
            opt_weighted_loss_type="decay",
            opt_loss_decay_factor=0.7,
            opt_projection_epsilon=0.9,
        ),
    ),
    "llama_biased_cpt": (
        "families/llama_biased",
        "AutoModelForCausalLM",
        context([7, 6, 23, 24, 19], [1, 2, 0, 3, 4]),
    ),
    "gpt2_cpt": ("gpt2/lm", "AutoModelForCausalLM", context([3, 8, 21], [1, 2, 3])),
    "llama_ptuning": ("families/llama", "AutoModelForCausalLM", encoded("CAUSAL_LM")),
    "gpt2_ptuning": (
        "gpt2/lm",
        "AutoModelForCausalLM",
        encoded("CAUSAL_LM", encoder_reparameterization_type="LSTM"),
    ),
    "t5_ptuning": ("seq2seq/t5", "AutoModelForSeq2SeqLM", encoded("SEQ_2_SEQ_LM")),
    "bert_ptuning": ("hf/base/bert", "AutoModelForSequenceClassification", encoded("SEQ_CLS")),
    "llama_prefix": ("families/llama", "AutoModelForCausalLM", prefix("CAUSAL_LM")),
    "qwen3_prefix": ("families/qwen3", "AutoModelForCausalLM", prefix("CAUSAL_LM")),
    "qwen2_prefix_projected": (
        "families/qwen2",
        "AutoModelForCausalLM",
        prefix("CAUSAL_LM", prefix_projection=True, encoder_hidden_size=20),
    ),
    "llama_adaption": ("hf/base/llama", "AutoModelForCausalLM", adaption(4, 1)),
    "mistral_adaption": ("families/mistral", "AutoModelForCausalLM", adaption(3, 2)),
    "gpt2_adaption": ("gpt2/lm", "AutoModelForCausalLM", adaption(3, 2)),
    "llama_shadow": ("families/llama", "AutoModelForCausalLM", shadow("CAUSAL_LM")),
    "llama_small_shadow": (
        "hf/base/llama",
        "AutoModelForCausalLM",
        shadow(
            "CAUSAL_LM",
            shadow_num_hidden_layers=2,
            shadow_hidden_size=8,
            shadow_num_attention_heads=2,
            shadow_intermediate_size=12,
            update_hidden_size=5,
            auxiliary_loss_weight=0.5,
        ),
    ),
    "qwen3_shadow": (
        "families/qwen3",
        "AutoModelForCausalLM",
        shadow("CAUSAL_LM", share_embeddings=False, target_modules=["layers.1"]),
    ),
    "gpt2_shadow": ("gpt2/lm", "AutoModelForCausalLM", shadow("CAUSAL_LM")),
    "llama_classifier_shadow": (
        "families/llama",
        "AutoModelForSequenceClassification",
        shadow("SEQ_CLS", auxiliary_loss_weight=0.5),
    ),
    "bert_shadow": (  # its own loss has another pooling there
        "hf/base/bert",
        "AutoModelForSequenceClassification",
        shadow("SEQ_CLS", target_modules=r".*\.layer\.\d+", auxiliary_loss_weight=0.0),
    ),
    "llama_cartridge": ("families/llama", "AutoModelForCausalLM", cartridge("CAUSAL_LM")),
    "gpt2_cartridge": ("gpt2/lm", "AutoModelForCausalLM", cartridge("CAUSAL_LM", num_frozen_tokens=0)),
    "t5_cartridge": ("seq2seq/t5", "AutoModelForSeq2SeqLM", cartridge("SEQ_2_SEQ_LM")),
    "bert_cartridge": (
        "hf/base/bert",
        "AutoModelForSequenceClassification",
        cartridge("SEQ_CLS", num_frozen_tokens=2),
    ),
    "gpt2_prompt": ("gpt2/lm", "AutoModelForCausalLM", prompt("CAUSAL_LM")),
    "gpt2_prefix": ("gpt2/lm", "AutoModelForCausalLM", prefix("CAUSAL_LM")),
    "t5_prompt": ("seq2seq/t5", "AutoModelForSeq2SeqLM", prompt("SEQ_2_SEQ_LM")),
    "t5_prefix": ("seq2seq/t5", "AutoModelForSeq2SeqLM", prefix("SEQ_2_SEQ_LM")),
    "mt5_prefix": ("seq2seq/mt5", "AutoModelForSeq2SeqLM", prefix("SEQ_2_SEQ_LM")),
    "bert_prompt": ("hf/base/bert", "AutoModelForSequenceClassification", prompt("SEQ_CLS")),
    "bert_prefix": ("hf/base/bert", "AutoModelForSequenceClassification", prefix("SEQ_CLS")),
    "roberta_prompt": (
        "encoders/roberta_tokens",
        "AutoModelForTokenClassification",
        prompt("TOKEN_CLS"),
    ),
}


def padded(rows, pad, left):
    width = max(map(len, rows))
    ids, mask = [], []
    for row in rows:
        gap = [pad] * (width - len(row))
        ids.append(gap + row if left else row + gap)
        mask.append([0] * len(gap) + [1] * len(row) if left else [1] * len(row) + [0] * len(gap))
    return torch.tensor(ids), torch.tensor(mask)


def tasks(tuned, rows):
    """The i-th text is of task i, modulo their number, where a method tells tasks apart."""
    count = getattr(tuned.active_peft_config, "num_tasks", None)
    return {"task_ids": torch.arange(rows) % count} if count else {}


def update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def train(tuned, ids, mask):
    """Losses of plain AdamW on one batch: the next token, or the row's number as its label. CPT has a
    loss of its own, in which a text's first token is not to count here, and so has a shadow."""
    optimizer = torch.optim.AdamW(
        [p for p in tuned.parameters() if p.requires_grad], lr=0.01, weight_decay=0.0
    )
    losses = []
    own = tuned.active_peft_config.peft_type == "CPT"
    shadowed = tuned.active_peft_config.peft_type == "SHADOW"
    for _ in range(TRAINED):
        if shadowed:
            causal = tuned.active_peft_config.task_type == "CAUSAL_LM"
            labels = ids.masked_fill(mask == 0, -100) if causal else torch.arange(len(ids))
            losses.append(update(optimizer, tuned(ids, attention_mask=mask, labels=labels).loss))
            continue
        if own:
            types = 4 * mask
            types[:, 0] = 0
            out = tuned(
                ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100), input_type_mask=types
            )
            losses.append(update(optimizer, out.loss))
            continue
        logits = tuned(ids, attention_mask=mask, **tasks(tuned, len(ids))).logits
        if logits.dim() == 3:
            logits = logits[:, logits.shape[1] - ids.shape[1] :]
            targets = ids.masked_fill(mask == 0, -100)[:, 1:]
            loss = torch.nn.functional.cross_entropy(
                logits[:, :-1].flatten(0, 1), targets.flatten()
            )
        else:
            loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(ids)))
        losses.append(update(optimizer, loss))
    return torch.stack(losses)


@torch.no_grad()
def continued(tuned, kind, rows, pad, virtual):
    io = {}
    for side in ("right", "left"):
        ids, mask = padded(rows, pad, side == "left")
        io[f"{side}.input_ids"], io[f"{side}.attention_mask"] = ids, mask
        logits = tuned(ids, attention_mask=mask, **tasks(tuned, len(ids))).logits
        if logits.dim() == 3 and logits.shape[1] > ids.shape[1]:
            logits = logits[:, virtual:]
        io[f"{side}.logits"] = logits.contiguous()
    if kind == "AutoModelForCausalLM":
        row = torch.tensor(rows[:1])
        out = tuned.generate(
            input_ids=row,
            attention_mask=torch.ones_like(row),
            max_new_tokens=STEPS,
            do_sample=False,
            **tasks(tuned, 1),
        )
        io["greedy.tokens"] = out[:, row.shape[1] :].contiguous()
    return io


@torch.no_grad()
def answered(tuned, rows, pad):
    """An encoder's texts, a decoder's beginnings, what the decoder says."""
    io, written = {}, torch.tensor([row[:4] for row in rows])
    for side in ("right", "left"):
        ids, mask = padded(rows, pad, side == "left")
        io[f"{side}.input_ids"], io[f"{side}.attention_mask"] = ids, mask
        io[f"{side}.decoder_input_ids"] = written.clone()
        out = tuned(input_ids=ids, attention_mask=mask, decoder_input_ids=written)
        io[f"{side}.logits"] = out.logits.contiguous()
    ids, mask = padded(rows, pad, False)
    out = tuned.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=STEPS, min_new_tokens=STEPS, do_sample=False
    )
    io["answers.tokens"] = out[:, 1:].contiguous()
    return io


def make(name):
    base, kind, config = CASES[name]
    torch.manual_seed(zlib.crc32(name.encode()))
    model = getattr(transformers, kind).from_pretrained(
        GOLDEN / base,
        attn_implementation="eager",
        dtype=torch.float32,
        **({"num_labels": len(LENGTHS)} if kind == "AutoModelForSequenceClassification" else {}),
    )
    vocabulary, pad = model.config.vocab_size, model.config.pad_token_id or 0
    tuned = get_peft_model(model, config).eval()
    with torch.no_grad():
        for p in tuned.parameters():
            if p.requires_grad:
                p.add_(0.3 * torch.randn_like(p))
    folder = TARGET / name
    tuned.save_pretrained(folder)
    (folder / "README.md").unlink()
    written = json.loads((folder / "adapter_config.json").read_text())
    written["base_model_name_or_path"] = base
    (folder / "adapter_config.json").write_text(json.dumps(written, indent=2, sort_keys=True))
    generator = torch.Generator().manual_seed(7)
    rows = [torch.randint(3, vocabulary, (n,), generator=generator).tolist() for n in LENGTHS]
    if kind == "AutoModelForSeq2SeqLM":
        io = answered(tuned, rows, pad)
    else:
        io = continued(tuned, kind, rows, pad, getattr(config, "num_virtual_tokens", 0))
    if config.peft_type == "SHADOW":
        with torch.no_grad():
            alone = tuned.base_model.unload_shadow().eval()
            if config.task_type == "CAUSAL_LM" or "bert" not in name:
                ids, mask = io["right.input_ids"], io["right.attention_mask"]
                io["detached.logits"] = alone(ids, attention_mask=mask).logits.contiguous()
    drops = any(getattr(model.config, key, 0) > 0 for key in ("resid_pdrop", "dropout_rate"))
    projected = getattr(config, "prefix_projection", False) or hasattr(config, "encoder_dropout")
    if config.peft_type == "CPT":  # as from a file, where its changes are in the vectors
        encoder = tuned.prompt_encoder["default"]
        with torch.no_grad():
            encoder.embedding.weight.add_(encoder.delta_embedding.weight)
            encoder.delta_embedding.weight.zero_()
    if not (config.task_type.startswith("TOKEN") or projected or drops):
        io["losses"] = train(tuned, io["right.input_ids"], io["right.attention_mask"])
    save_file(io, folder / "io.safetensors")
    return written, {k: tuple(v.shape) for k, v in io.items()}


def main():
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    names = sys.argv[1:] or list(CASES)
    if names == list(CASES):
        shutil.rmtree(TARGET, ignore_errors=True)
    for name in names:
        make(name)
    print(f"{len(names)} adapters in {TARGET}")


if __name__ == "__main__":
    main()
