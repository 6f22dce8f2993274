"""AdaLoRA trained by PEFT's own allocator: pruned adapters, and a schedule to follow step by step."""

import json
from pathlib import Path

import torch
from peft import AdaLoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

import golden_adapters as adapters
import golden_bases as bases
from golden_cases import NAMES, SHAPES, Case, adalora

NOTE = (
    "trained for 30 steps and pruned: the scale stays alpha / (init_r + 1e-5) whatever rank is left"
)


def _batches(base, count):
    for _ in range(count):
        ids = torch.randint(3, bases.VOCABULARY, (4, 9))
        yield {"input_ids": ids, "labels": ids[:, 1] % 3 if base == "bert" else ids}


def _pruned_case(base, name, **settings):
    n = NAMES[base]
    targets = [n["q"], n["v"], n["up"]]
    return Case(
        base,
        name,
        adalora(base, target_modules=targets, **settings),
        ["adalora", "pruned"],
        note=NOTE,
    )


def _train_pruned(case, root):
    model = adapters.wrap(case, root)
    batches = list(_batches(case.base, 6))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-2)
    model.train()
    for step in range(1, 31):
        model(**batches[step % 6]).loss.backward()
        optimizer.step()
        model.base_model.update_and_allocate(step)
        optimizer.zero_grad()
    pattern = model.peft_config["default"].rank_pattern
    return model, sorted(sum(p) for p in pattern.values())


def make_pruned(root: Path):
    rows, problems = [], []
    for base in SHAPES:
        runs = [("adalora_pruned", dict(), base not in ("bert", "llama"))]
        if not runs[0][2]:
            runs.append(("adalora_pruned_empty", dict(init_r=4, target_r=1), True))
        for name, settings, empty in runs:
            case = _pruned_case(base, name, **settings)
            model, ranks = _train_pruned(case, root)
            if empty:
                case.note += "; some layers have rank 0 and tensors without rows"
            if (ranks[0] == 0) != empty or ranks[0] == ranks[-1]:
                problems.append(f"{case.id}: ranks {ranks}")
            row, said = adapters.finish(case, model, root)
            row.pop("blind", None)  # the pruned layers of the live model
            row["ranks"] = ranks
            rows.append(row)
            problems += [s for s in said if ": blind" not in s]
    return rows, problems


class TraceNet(nn.Module):
    """fc1 [8 from 6], tanh, fc2 [8 from 8], tanh, fc3 [4 from 8]; mean cross entropy."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.fc2 = nn.Linear(8, 8)
        self.fc3 = nn.Linear(8, 4)

    def forward(self, x, labels):
        logits = self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))
        return SequenceClassifierOutput(
            loss=nn.functional.cross_entropy(logits, labels), logits=logits
        )


SCHEDULE = dict(
    init_r=4,
    target_r=2,
    lora_alpha=8,
    tinit=4,
    tfinal=6,
    deltaT=2,
    total_step=30,
    beta1=0.85,
    beta2=0.85,
    orth_reg_weight=0.1,
)
OPTIMIZERS = {
    "sgd": ({"type": "SGD", "lr": 0.05, "momentum": 0}, lambda p: torch.optim.SGD(p, lr=0.05)),
    "adamw": (
        {"type": "AdamW", "lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01},
        lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
    ),
}


def _plain(name):
    return name.replace("base_model.model.", "").replace(".default", "")


def _tensors(model, what):
    return {
        f"{what}.{_plain(n)}": p.detach().clone()
        for n, p in model.named_parameters()
        if ".lora_" in n and p.requires_grad
    }


def _scores(tuner):
    """Importance of every triplet, as mask_to_budget computes it, by module."""
    scores, allocator = {}, tuner.rankallocator
    for name, _ in tuner.model.named_parameters():
        if ".lora_E." in name:
            a, b = (
                allocator._element_score(name.replace("lora_E", x)) for x in ("lora_A", "lora_B")
            )
            scores[name] = allocator._element_score(name).view(-1) + a.mean(dim=1) + b.mean(dim=0)
    return scores


def _margin(scores, budget):
    """How far, relatively, the last pruned score is from the first kept one."""
    ordered = torch.cat(list(scores.values())).sort().values
    pruned = len(ordered) - budget
    if pruned <= 0:
        return 1.0
    return ((ordered[pruned] - ordered[pruned - 1]) / ordered[pruned]).item()


def _trace(kind, root):
    adapters.seed(f"adalora trace {kind}")
    net = TraceNet()
    bases._randomise(net)
    weights = {f"base.{n}": p.detach().clone() for n, p in net.named_parameters()}
    model = get_peft_model(net, AdaLoraConfig(target_modules=["fc1", "fc2", "fc3"], **SCHEDULE))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                p.add_((0.5 if "lora_E" in name else 0.3) * torch.randn_like(p))
    tensors = {**weights, **_tensors(model, "start")}
    batches = [(torch.randn(5, 6), torch.randint(0, 4, (5,))) for _ in range(4)]
    for i, (x, labels) in enumerate(batches):
        tensors.update({f"x.{i}": x, f"labels.{i}": labels})
    description, make = OPTIMIZERS[kind]
    optimizer = make([p for p in model.parameters() if p.requires_grad])
    allocator = model.base_model.rankallocator
    steps, problems = [], []
    for step in range(1, SCHEDULE["total_step"] + 1):
        x, labels = batches[(step - 1) % 4]
        # not model(...): without a task type PeftModel.forward goes past the tuner, and the loss then
        # silently lacks the orthogonality term
        out = model.base_model(x=x, labels=labels)
        out.loss.backward()
        if step == 1:
            grads = {_plain(n): p.grad for n, p in model.named_parameters() if p.requires_grad}
            tensors.update({f"grad.{n}": g.clone() for n, g in grads.items()})
        task = nn.functional.cross_entropy(out.logits, labels).item()
        optimizer.step()
        last = SCHEDULE["total_step"] - SCHEDULE["tfinal"]
        budget, due = allocator.budget_schedule(step)
        masks = step <= last and (due or step == last)
        before = model.peft_config["default"].rank_pattern
        if masks and step == last:
            scores = _scores(model.base_model)
        model.base_model.update_and_allocate(step)
        if masks and step < last:
            scores = _scores(model.base_model)
        pattern = model.peft_config["default"].rank_pattern
        row = {
            "step": step,
            "batch": (step - 1) % 4,
            "loss": out.loss.item(),
            "task_loss": task,
            "orthogonality": out.loss.item() - task,
            "budget": budget,
            "allocates": masks,
            "E": {
                _plain(n): p.view(-1).tolist() for n, p in model.named_parameters() if "lora_E" in n
            },
        }
        if masks:
            row["scores"] = {_plain(n): s.tolist() for n, s in scores.items()}
            row["kept"] = {_plain(n): k for n, k in pattern.items()}
            row["margin"] = _margin(scores, budget)
            if row["margin"] < 1e-3:
                problems.append(f"adalora trace {kind}, step {step}: margin {row['margin']}")
            if sum(map(sum, pattern.values())) != budget:
                problems.append(f"adalora trace {kind}, step {step}: kept is not the budget")
        elif before is not pattern:
            problems.append(f"adalora trace {kind}, step {step}: allocated out of turn")
        if row["orthogonality"] < 0.01:
            problems.append(f"adalora trace {kind}, step {step}: no orthogonality term")
        steps.append(row)
        optimizer.zero_grad()
    tensors.update(_tensors(model, "end"))
    directory = root / "training" / f"adalora_{kind}"
    directory.mkdir(parents=True)
    save_file(tensors, directory / "tensors.safetensors")
    trace = {
        "model": " ".join(TraceNet.__doc__.split()),
        "schedule": SCHEDULE,
        "optimizer": description,
        "order": "backward, optimizer step, update_and_allocate(step), zero_grad; steps count from 1",
        "sensitivity": "|p * grad|: p after the optimizer step, grad from before it; not updated at the "
        "step total_step - tfinal, which allocates by the averages so far, nor after it",
        "loss": "task_loss + orth_reg_weight * mean over all A and B of the Frobenius norm of "
        "A A^T - I and B^T B - I",
        "E": "after update_and_allocate; steps after total_step - tfinal set the pruned E to 0 again",
        "scores": "smoothed sensitivity times uncertainty: of E, plus the mean over A's row, plus the "
        "mean over B's column",
        "kept": "score above the (init_budget - budget)-th smallest",
        "tolerance": 1e-5,
        "tensors": "base.*, start.*, grad.* of the first step, x.*, labels.*, end.*",
        "steps": steps,
    }
    (directory / "adalora_schedule.json").write_text(json.dumps(trace, indent=1) + "\n")
    return problems


def make_traces(root: Path):
    return [p for kind in OPTIMIZERS for p in _trace(kind, root)]
