"""Training runs to follow step by step: LoRA on two models, AdamW alone, learning-rate schedules."""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import get_scheduler

import golden_adapters as adapters
import golden_bases as bases
from golden_cases import NAMES

STEPS, WARMUP, LR, DECAY, CLIP = 6, 2, 1e-2, 0.01, 1.0


def _batch(base, step):
    """Four rows, right padded to the longest."""
    lengths = [9, 4 + step % 3, 7, 9 - step % 4]
    ids = torch.randint(3, bases.VOCABULARY, (4, 9))
    mask = (torch.arange(9) < torch.tensor(lengths)[:, None]).long()
    ids = ids * mask
    batch = {"input_ids": ids, "attention_mask": mask}
    if base == "bert":
        types = (torch.arange(9) >= 4).long() * mask
        return {**batch, "token_type_ids": types, "labels": ids[:, 1] % 3}
    return {**batch, "labels": torch.where(mask == 1, ids, -100)}


def _saved_key(name):
    """The name that a parameter has in the adapter file."""
    return name.replace(".modules_to_save.default", "").replace(".default", "")


def _decays(rule, name):
    if rule == "lora":
        return ".lora_" in name
    return not name.endswith("bias")


def _run(base, rule, root):
    """rule: "lora" decays the LoRA weights only; "trainer" everything but biases and norms, as
    transformers.Trainer does."""
    directory = root / "training" / (f"lora_{base}" if rule == "lora" else f"lora_{base}_{rule}")
    adapters.seed(f"training {base}")
    n = NAMES[base]
    config = LoraConfig(
        r=4, lora_alpha=8, task_type=bases.task_type(base), target_modules=[n["q"], n["v"], n["up"]]
    )
    model = get_peft_model(bases.load(base, root), config)
    adapters.perturb(model)
    adapters.save(model, directory / "start")
    batches = [_batch(base, i) for i in range(STEPS)]
    save_file(
        {f"{k}.{i}": v for i, batch in enumerate(batches) for k, v in batch.items()},
        directory / "batches.safetensors",
    )
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    groups = [
        {"params": [p for n, p in trained.items() if _decays(rule, n)], "weight_decay": DECAY},
        {"params": [p for n, p in trained.items() if not _decays(rule, n)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        [g for g in groups if g["params"]], lr=LR, betas=(0.9, 0.999), eps=1e-8
    )
    schedule = get_scheduler("cosine", optimizer, num_warmup_steps=WARMUP, num_training_steps=STEPS)
    model.train()
    steps, problems = [], []
    for i, batch in enumerate(batches):
        loss = model(**batch).loss
        loss.backward()
        if i == 0:
            grads = {_saved_key(n): p.grad.clone() for n, p in trained.items()}
            save_file(grads, directory / "gradients.safetensors")
        norm = torch.nn.utils.clip_grad_norm_(trained.values(), CLIP).item()
        steps.append(
            {
                "step": i + 1,
                "loss": loss.item(),
                "grad_norm": norm,
                "lr": optimizer.param_groups[0]["lr"],
            }
        )
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    adapters.save(model, directory / "end")
    model.eval()
    out = bases.run(base, model, bases.inputs_of(base, root))
    save_file(out, directory / "end" / "io.safetensors")
    if not any(s["grad_norm"] > CLIP for s in steps):
        problems.append(f"training {base}: clipping never matters")
    if set(map(_saved_key, trained)) != set(
        load_file(directory / "end" / "adapter_model.safetensors")
    ):
        problems.append(f"training {base}: names of gradients and of the file differ")
    trace = {
        "base": base,
        "mode": "train(); every dropout is 0",
        "loss": "mean cross entropy over rows"
        if base == "bert"
        else "mean cross entropy over shifted labels other than -100",
        "optimizer": {"type": "AdamW", "lr": LR, "betas": [0.9, 0.999], "eps": 1e-8},
        "weight_decay": {_saved_key(n): DECAY if _decays(rule, n) else 0.0 for n in trained},
        "schedule": f"cosine to 0 after {STEPS} steps, linear warm-up of {WARMUP}; the first lr is 0",
        "clip": f"norm over all trained tensors to {CLIP}: times min(1, {CLIP} / (norm + 1e-6))",
        "gradients": "of step 1, before clipping",
        "steps": steps,
        "tolerance": 1e-5,
    }
    (directory / "trace.json").write_text(json.dumps(trace, indent=1) + "\n")
    return problems


def _adamw(root):
    adapters.seed("adamw")
    shapes = {"matrix": (4, 3), "vector": (5,), "kernel": (2, 3, 2, 2)}
    decay = {"matrix": 0.01, "vector": 0.0, "kernel": 0.1}
    start = {n: torch.randn(s) for n, s in shapes.items()}
    parameters = {n: t.clone().requires_grad_() for n, t in start.items()}
    optimizer = torch.optim.AdamW(
        [{"params": [p], "weight_decay": decay[n]} for n, p in parameters.items()],
        lr=0.03,
        betas=(0.9, 0.999),
        eps=1e-8,
    )
    tensors = {f"start.{n}": t for n, t in start.items()}
    for step in range(1, 6):
        for n, p in parameters.items():
            # gradients over seven orders of magnitude, so that eps and both moments show
            p.grad = torch.randn(shapes[n]) * 10 ** torch.empty(shapes[n]).uniform_(-7, 0)
            tensors[f"grad.{step}.{n}"] = p.grad
        optimizer.step()
        for n, p in parameters.items():
            tensors[f"after.{step}.{n}"] = p.detach().clone()
    for n, p in parameters.items():
        tensors[f"exp_avg.{n}"] = optimizer.state[p]["exp_avg"].clone()
        tensors[f"exp_avg_sq.{n}"] = optimizer.state[p]["exp_avg_sq"].clone()
    directory = root / "training" / "adamw"
    directory.mkdir(parents=True)
    save_file(tensors, directory / "tensors.safetensors")
    about = {
        "optimizer": {"type": "AdamW", "lr": 0.03, "betas": [0.9, 0.999], "eps": 1e-8},
        "weight_decay": decay,
        "tensors": "start.*, grad.<step>.* and after.<step>.* for steps 1 to 5; moments at the end",
    }
    (directory / "trace.json").write_text(json.dumps(about, indent=1) + "\n")


def _schedules(root):
    """Factors on the learning rate, as transformers names the schedules."""
    rows = {}
    for name, options in {
        "constant": {},
        "constant_with_warmup": {},
        "linear": {},
        "cosine": {},
        "cosine_with_restarts": {"num_cycles": 3},
        "polynomial": {"lr_end": 0.1, "power": 2.0},
        "inverse_sqrt": {},
    }.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        schedule = get_scheduler(name, optimizer, 3, 12, scheduler_specific_kwargs=options)
        factors = []
        for _ in range(13):
            factors.append(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
        rows[name] = {"options": options, "factors": factors}
    about = {"warmup_steps": 3, "total_steps": 12, "lr": 1.0, "schedules": rows}
    (root / "training" / "schedules.json").write_text(json.dumps(about, indent=1) + "\n")


def make(root: Path):
    problems = []
    for base, rule in (("bert", "lora"), ("bert", "trainer"), ("llama", "lora")):
        problems += _run(base, rule, root)
    _adamw(root)
    _schedules(root)
    return problems
