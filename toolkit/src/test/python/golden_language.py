#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/language: LoRA learning language, step by step.

The tiny llama of golden/hf, rows of uneven length with labels of -100 outside of what is learned,
right padding, one and three batches per update. Versions and how to run: as golden.py beside this
file (torch==2.13.0 transformers==5.17.0 peft==0.21.0 safetensors==0.8.0), from anywhere:
    venv/bin/python toolkit/src/test/python/golden_language.py
"""

import json
import os
import shutil
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
sys.dont_write_bytecode = True

import torch  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402

import golden_adapters as adapters  # noqa: E402
import golden_bases as bases  # noqa: E402

RESOURCES = Path(__file__).resolve().parent.parent / "resources" / "golden"
HF, TARGET = RESOURCES / "hf", RESOURCES / "language"
LR, STEPS, WINDOW = 1e-2, 4, 16


def rows():
    """24 rows: some tokens of a prompt, then some to learn; row 5 learns in two places."""
    out = []
    for i in range(24):
        n, prompt = 4 + (7 * i) % 13, 1 + i % 3
        ids = torch.randint(3, bases.VOCABULARY, (n,)).tolist()
        labels = [-100] * prompt + ids[prompt:]
        if i == 5:
            labels[3] = -100
        if i == 7:
            labels = list(ids)  # the whole text: the first token's label never counts
        out.append({"input_ids": ids, "labels": labels})
    return out


def batch(chosen):
    """Right padded; padding has id 0, mask 0 and label -100."""
    n = max(len(r["input_ids"]) for r in chosen)

    def pad(values, fill):
        return torch.tensor([v + [fill] * (n - len(v)) for v in values])

    return {
        "input_ids": pad([r["input_ids"] for r in chosen], 0),
        "attention_mask": pad([[1] * len(r["input_ids"]) for r in chosen], 0),
        "labels": pad([r["labels"] for r in chosen], -100),
    }


def supervised(b):
    return int((b["labels"][:, 1:] != -100).sum())


def train(all_rows, size, accumulate):
    """Losses and gradient norms; every update is the mean over the tokens of all its batches."""
    model = PeftModel.from_pretrained(bases.load("llama", HF), TARGET / "start", is_trainable=True)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LR, weight_decay=0.0)
    steps = []
    for s in range(STEPS):
        first = s * size * accumulate
        chosen = [all_rows[(first + i) % len(all_rows)] for i in range(size * accumulate)]
        batches = [batch(chosen[i : i + size]) for i in range(0, len(chosen), size)]
        total = sum(map(supervised, batches))
        loss = 0.0
        for b in batches:
            part = model(**b, num_items_in_batch=torch.tensor(total)).loss
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1e9).item()
        optimizer.step()
        optimizer.zero_grad()
        steps.append({"loss": loss, "grad_norm": norm, "tokens": total})
    return model, steps


@torch.no_grad()
def perplexity(model, ids):
    model.eval()
    total = scored = 0
    for i in range(0, len(ids), WINDOW):
        part = torch.tensor([ids[i : i + WINDOW]])
        if part.shape[1] > 1:
            total += model(input_ids=part, labels=part).loss.item() * (part.shape[1] - 1)
            scored += part.shape[1] - 1
    return {"loss": total / scored, "scored": scored}


@torch.no_grad()
def evaluate(model, all_rows):
    model.eval()
    loss = hits = tokens = 0
    for r in all_rows:
        b = batch([r])
        out = model(**b)
        loss += out.loss.item() * supervised(b)
        counts = b["labels"][:, 1:] != -100
        hits += int((out.logits.argmax(-1)[:, :-1] == b["labels"][:, 1:])[counts].sum())
        tokens += supervised(b)
    return {"loss": loss / tokens, "accuracy": hits / tokens, "tokens": tokens}


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    adapters.seed("language")
    config = LoraConfig(
        r=4, lora_alpha=8, task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj", "up_proj"]
    )
    model = get_peft_model(bases.load("llama", HF), config)
    adapters.perturb(model)
    adapters.save(model, TARGET / "start")
    all_rows = rows()
    text = torch.randint(3, bases.VOCABULARY, (49,)).tolist()  # the last window has one token
    runs = []
    for size, accumulate in ((6, 1), (2, 3)):
        trained, steps = train(all_rows, size, accumulate)
        adapters.save(trained, TARGET / f"end_{size}x{accumulate}")
        runs.append({"batch": size, "accumulate": accumulate, "steps": steps})
    trace = {
        "optimizer": {"type": "AdamW", "lr": LR, "betas": [0.9, 0.999], "eps": 1e-8, "decay": 0},
        "rows": all_rows,
        "text": text,
        "window": WINDOW,
        "perplexity": perplexity(model, text),
        "evaluation": evaluate(model, all_rows),
        "runs": runs,
    }
    (TARGET / "trace.json").write_text(json.dumps(trace) + "\n")
    for f in TARGET.rglob("*"):
        if f.is_file():
            f.chmod(0o644)
    print(json.dumps(runs), trace["perplexity"], trace["evaluation"])


if __name__ == "__main__":
    main()
