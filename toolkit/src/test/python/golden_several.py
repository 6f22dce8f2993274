"""Several LoRA adapters on one model: saved together, active together, and added with weights."""

import copy
from pathlib import Path

from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file

import golden_adapters as adapters
import golden_bases as bases
from golden_cases import NAMES, Case

# name, adapters, weights, options of add_weighted_adapter; "exact" where the sum of the weighted deltas
# is what the method promises
COMBINATIONS = [
    ("cat", "ab", (0.7, 0.5), dict(combination_type="cat"), "exact"),
    ("cat_negative", "ab", (0.7, -0.4), dict(combination_type="cat"), "exact"),
    ("cat_ranks", "ac", (0.7, 0.5), dict(combination_type="cat"), "exact"),
    ("svd", "ab", (0.7, 0.5), dict(combination_type="svd"), "truncated"),
    ("svd_full", "ab", (0.7, -0.4), dict(combination_type="svd", svd_rank=8), "exact"),
    ("linear", "ab", (0.7, 0.5), dict(combination_type="linear"), "cross terms"),
    ("linear_negative", "ab", (0.7, -0.4), dict(combination_type="linear"), "cross terms"),
    ("ties", "ab", (0.7, 0.5), dict(combination_type="ties", density=0.5), None),
    (
        "ties_frequency",
        "ab",
        (0.7, 0.5),
        dict(combination_type="ties", density=0.5, majority_sign_method="frequency"),
        None,
    ),
    ("ties_svd", "ab", (0.7, 0.5), dict(combination_type="ties_svd", density=0.5), None),
    (
        "magnitude_prune",
        "ab",
        (0.7, 0.5),
        dict(combination_type="magnitude_prune", density=0.5),
        None,
    ),
    (
        "magnitude_prune_svd",
        "ab",
        (0.7, 0.5),
        dict(combination_type="magnitude_prune_svd", density=0.5),
        None,
    ),
]
RSLORA_COMBINATIONS = [
    ("cat", "ab", (0.7, 0.5), dict(combination_type="cat"), "exact"),
    ("svd_full", "ab", (0.7, 0.5), dict(combination_type="svd", svd_rank=8), "exact"),
]
RSLORA_WRONG = (
    "the new adapter inherits use_rslora, so its scale is sqrt(r) and not 1: the sum comes out \
sqrt(r) too large (logits_exact holds what was asked for)"
)


def _model(base, group, configs, root):
    adapters.seed(f"{base}/{group}")
    settings = {n: LoraConfig(lora_dropout=0.0, **c) for n, c in configs.items()}
    with adapters.quiet():
        model = None
        for name, config in settings.items():
            if model is None:
                model = get_peft_model(bases.load(base, root), config, adapter_name=name)
            else:
                model.add_adapter(name, config)
            model.set_adapter(name)
            adapters.perturb(model)
    return model.eval()


def _exact(base, model, names, weights, inputs):
    """Outputs with both adapters active, each scaled by its weight: no combination needed."""
    changed = []
    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            for name, weight in zip(names, weights):
                if name in layer.scaling:
                    changed.append((layer, name, layer.scaling[name]))
                    layer.scaling[name] *= weight
    model.base_model.set_adapter(list(names))
    outputs = bases.run(base, model, inputs)
    for layer, name, value in changed:
        layer.scaling[name] = value
    return outputs


def _single(base, group, name, model, root, tags, **more):
    """The row of one adapter of the model, measured on a reloaded copy."""
    directory = root / "adapters" / base / group / name
    model.set_adapter(name)
    live = bases.run(base, model, bases.inputs_of(base, root))
    case = Case(base, f"{group}/{name}", None, ["lora", *tags], **more)
    measured = adapters.measure(
        base, live, adapters.reload(base, directory, root)[0], directory, root
    )
    return adapters.row_of(case, directory, root, measured), adapters.check(case, measured)


def _together(base, group, names, model, root):
    """Both adapters active, which is not a directory of PEFT's: only outputs."""
    inputs, plain = bases.inputs_of(base, root), bases.expected(base, root)
    directory = root / "adapters" / base / group / "both"
    directory.mkdir()
    model.base_model.set_adapter(list(names))
    live = bases.run(base, model, inputs)
    with adapters.quiet():
        merged = copy.deepcopy(model).merge_and_unload(adapter_names=list(names)).eval()
    together = bases.run(base, merged, inputs)
    save_file(live, directory / "io.safetensors")
    return {
        "id": f"{base}/{group}/both",
        "base": base,
        "adapters": [f"adapters/{base}/{group}/{n}" for n in names],
        "io": f"adapters/{base}/{group}/both/io.safetensors",
        "peft_type": "LORA",
        "config": "LoraConfig",
        "tags": ["lora", "several"],
        "tolerance": 5e-5,
        "effect": bases.distance(base, inputs, live, plain),
        "merge_error": bases.distance(base, inputs, live, together),
        "merged": "same",
        "disabled": "base",
    }


def _group(base, group, configs, combinations, root, wrong=None):
    model = _model(base, group, configs, root)
    adapters.save(model, root / "adapters" / base / group)
    rows, problems = [], []
    for name in configs:
        row, said = _single(base, group, name, model, root, ["several"])
        rows.append(row)
        problems += said
    both = _together(base, group, ("a", "b"), model, root)
    rows.append(both)
    if both["merge_error"] > adapters.SAME:
        problems.append(f"{both['id']}: merge error {both['merge_error']}")
    inputs = bases.inputs_of(base, root)
    for name, of, weights, options, promise in combinations:
        model.add_weighted_adapter(list(of), list(weights), name, **options)
        adapters.save(model, root / "adapters" / base / group, selected_adapters=[name])
        row, said = _single(
            base, group, name, model, root, ["several", "combination"], wrong=wrong, tolerance=1e-4
        )
        row["combination"] = {
            **options,
            "of": [f"{base}/{group}/{n}" for n in of],
            "weights": list(weights),
        }
        problems += said
        if promise:
            exact = _exact(base, model, of, weights, inputs)
            model.set_adapter(name)
            error = bases.distance(base, inputs, bases.run(base, model, inputs), exact)
            row["combination"].update({"promise": promise, "error_against_sum": error})
            if (error < adapters.SAME) != (promise == "exact" and not wrong):
                problems.append(f"{row['id']}: {promise}, yet {error} from the exact sum")
            if wrong:
                io = root / row["io"]
                save_file({**load_file(io), **adapters.suffixed(exact, "_exact")}, io)
        with adapters.quiet():
            model.delete_adapter(name)
        rows.append(row)
    return rows, problems


def make(root: Path):
    rows, problems = [], []
    for base, n in (("bert_plain", NAMES["bert"]), ("llama", NAMES["llama"])):
        common = dict(task_type=bases.task_type(base), target_modules=[n["q"], n["v"]])
        plain = {
            "a": dict(common, r=4, lora_alpha=8),
            "b": dict(common, r=4, lora_alpha=5),
            "c": dict(common, r=2, lora_alpha=3, target_modules=[n["q"], n["up"]]),
        }
        rslora = {k: dict(plain[k], use_rslora=True) for k in ("a", "b")}
        groups = [("several", plain, COMBINATIONS, None)]
        if base == "llama":
            groups.append(("several_rslora", rslora, RSLORA_COMBINATIONS, RSLORA_WRONG))
        for group, configs, combinations, wrong in groups:
            more, said = _group(base, group, configs, combinations, root, wrong)
            rows += more
            problems += said
    return rows, problems
