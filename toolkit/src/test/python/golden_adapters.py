"""Makes one adapter directory per case and checks it against Hugging Face's own loader."""

import contextlib
import json
import re
import warnings
import zlib
from pathlib import Path

import torch
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

import golden_bases as bases

NOISE = [
    ("lora_embedding_A", 0.2),
    ("lora_embedding_B", 0.1),
    ("lora_A", 0.15),
    ("lora_B", 0.25),
    ("lora_E", 0.5),
    ("adamss_B", 0.6),
    ("osf_", 0.06),
    ("poly_lora", 0.4),
    ("poly_router", 1.5),
    ("vera_lambda_b", 0.6),
    ("vera_lambda_d", 0.4),
    ("", 0.2),
]
SAME = 1e-4
# what PEFT says in the ordinary course of loading
HARMLESS = re.compile(
    "Specified to not (save|load) (p?vera_A and p?vera_B|basis_A and basis_B|.*tinylora_P|projection tensors P)"
    "|groups > 1. Merging is not supported"
    "|merging LoRA weights won't be possible"
    "|tie_word_embeddings=True"
    "|does not produce the same output as the base model"
    "|Unsupported layer type '.*Norm'"
    # LongLoRA's own, which say how it was trained
    r"|Unexpected keyword arguments \['longlora_context', 'longlora_group_ratio', 'longlora_group_size'\]"
    # of linear layers beside GPT-2's transposed ones
    "|fan_in_fan_out is set to"
    # of methods that fit sizes to layers, or that have kernels for CUDA
    r"|Invalid `(oft_block_size|r)` \(\d+\)! Adjusted"
    "|Failed to load the CUDA extension|Setting boft_n_butterfly_factor to 1"
    "|symmetric initialization can NOT be performed when r is odd"
    "|base layer has no bias term. Note you cannot merge the BEFT"
    "|save_precomputed_indices=False: sparse-support indices will be recomputed"
    # said of every pruned AdaLoRA, although the pattern is used
    "|rank_pattern keys did not match any targeted module and were ignored: .*lora_E'"
)


def seed(text):
    torch.manual_seed(zlib.crc32(text.encode()))


def perturb(model):
    """Moves everything that trains off its start, as training would."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                scale = next(s for key, s in NOISE if key in name)
                p.add_(scale * torch.randn_like(p))


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def save(model, directory: Path, **options):
    """save_pretrained without the model card."""
    with quiet():
        model.save_pretrained(directory, **options)
    for card in [directory / "README.md", *directory.glob("*/README.md")]:
        card.unlink(missing_ok=True)
    for config in directory.glob("**/adapter_config.json"):  # where this machine has the base
        text = re.sub(r'("base_model_name_or_path": ")[^"]*/', r"\1", config.read_text())
        config.write_text(text)


def wrap(case, root):
    seed(case.id)
    with quiet():
        return get_peft_model(bases.load(case.base, root), case.config(), adapter_name=case.adapter)


def reload(base, directory, root):
    """The fresh model with the adapter as PEFT loads it, and every warning that it gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(bases.load(base, root), directory).eval()
    texts = sorted({str(w.message) for w in caught})
    return model, [t for t in texts if not HARMLESS.search(t)]


def merged(model):
    """The plain model; `model` is spent."""
    with quiet():
        return model.merge_and_unload().eval()


def disabled(base, model, inputs):
    with quiet(), model.disable_adapter():
        return bases.run(base, model, inputs)


def suffixed(outputs, suffix):
    return {k + suffix: v for k, v in outputs.items()}


def one_line(error):
    return re.sub(r"\s+", " ", str(error)).strip()


def blind(base, model, inputs, live):
    """Trained tensors whose value does not reach the outputs (zeroing them changes nothing): a test
    on outputs cannot see a mistake in them."""
    names = []
    for name, p in model.named_parameters():
        if p.requires_grad and p.numel() and "monteclora_sampler" not in name:  # for training alone
            kept = p.detach().clone()
            p.data.zero_()
            if bases.distance(base, inputs, bases.run(base, model, inputs), live) < 1e-3:
                names.append(name)
            p.data.copy_(kept)
    return names


def measure(base, live, model, directory: Path, root, case=None):
    """Writes io.safetensors beside the adapter and returns the measured part of the index row. `live`:
    outputs of the model that was saved; `model`: that model or an equal one, which is spent."""
    inputs, plain = bases.inputs_of(base, root), bases.expected(base, root)
    row, io = {}, dict(live)
    try:
        again, said = reload(base, directory, root)
        outputs = bases.run(base, again, inputs)
        row["reload_error"] = bases.distance(base, inputs, live, outputs)
        off = disabled(base, again, inputs)
        row["reload_disabled_error"] = bases.distance(
            base, inputs, disabled(base, model, inputs), off
        )
        if said:
            row["reload_warnings"] = said
        if case and case.reload == "differs":
            io = {**outputs, **suffixed(live, "_live")}
            live, model = outputs, again
    except (
        RuntimeError,
        ValueError,
        KeyError,
    ) as e:  # PEFT cannot read its own file; check() knows where
        row["reload_fails"] = one_line(e)
    row["effect"] = bases.distance(base, inputs, live, plain)
    unseen = blind(base, model, inputs, live)
    if unseen:
        row["blind"] = unseen
    off = disabled(base, model, inputs)
    if bases.distance(base, inputs, off, plain) > 1e-6:
        io.update(suffixed(off, "_disabled"))
        row["disabled"] = "stored"
    else:
        row["disabled"] = "base"
    try:
        together = bases.run(base, merged(model), inputs)
        row["merge_error"] = bases.distance(base, inputs, live, together)
        row["merged"] = "same" if row["merge_error"] < SAME else "stored"
        if row["merged"] == "stored":
            io.update(suffixed(together, "_merged"))
    except (NotImplementedError, RuntimeError, ValueError) as e:
        row["merged"] = "fails"
        row["merge_fails"] = one_line(e)
    save_file(io, directory / "io.safetensors")
    return row


def check(case, row):
    """A surprise is an error: the table must say what Hugging Face does."""
    problems = []
    kind = "fails" if "reload_fails" in row else "differs" if row["reload_error"] > SAME else "same"
    if kind != case.reload:
        problems.append(f"reload {kind}, expected {case.reload}")
    if row.get("reload_disabled_error", 0) > 1e-5:
        problems.append("the reloaded model, disabled, differs")
    if "reload_warnings" in row:
        problems.append("warnings at loading")
    if row["merged"] != case.merged:
        problems.append(f"merged {row['merged']}, expected {case.merged}")
    if row["effect"] < 0.05:
        problems.append(f"the adapter hardly matters: {row['effect']}")
    if sorted(row.get("blind", [])) != sorted(case.blind):
        problems.append(f"blind {row.get('blind')}")
    return [f"{case.id}: {p}\n    {row}" for p in problems]


def row_of(case, directory, root, measured):
    path = str(directory.relative_to(root))
    kind = json.loads((directory / "adapter_config.json").read_text())["peft_type"]
    row = {
        "id": case.id,
        "base": case.base,
        "adapters": [path],
        "io": f"{path}/io.safetensors",
        "peft_type": kind,
        "config": PEFT_TYPE_TO_CONFIG_MAPPING[kind].__name__,
        "tags": case.tags,
        "tolerance": case.tolerance,
        **measured,
    }
    if case.wrong:
        row["hf_wrong"] = case.wrong
    if case.note:
        row["note"] = case.note
    return row


def add_directions(model, directory: Path):
    """PSOFT's singular directions, whose signs depend on the processor and which PEFT does not save: it
    reads over them."""
    file = directory / "adapter_model.safetensors"
    tensors = load_file(file)
    for name, module in model.named_modules():
        if hasattr(module, "_psoft_A_cache"):
            tensors[f"{name}.psoft_A"] = module._psoft_A_cache["default"].contiguous()
            tensors[f"{name}.psoft_B"] = module._psoft_B_cache["default"].contiguous()
    save_file(tensors, file, {"format": "pt"})


def finish(case, model, root: Path):
    """Saves the adapter of `model` and returns its index row and the surprises."""
    top = root / "adapters" / case.id
    save(model, top)
    if "psoft" in case.tags:
        add_directions(model, top)
    directory = top if case.adapter == "default" else top / case.adapter
    if "prng" in case.tags:
        projections = {n: getattr(model.base_model, n)[case.adapter] for n in ("vera_A", "vera_B")}
        save_file(
            {n: p.contiguous() for n, p in projections.items()}, directory / "reference.safetensors"
        )
    live = bases.run(case.base, model.eval(), bases.inputs_of(case.base, root))
    measured = measure(case.base, live, model, directory, root, case)
    return row_of(case, directory, root, measured), check(case, measured)


def make(case, root: Path):
    model = wrap(case, root)
    perturb(model)
    return finish(case, model, root)


def refuse(case, words, root: Path):
    """Makes sure that PEFT does not get through a case; returns what it says, and the surprise if it
    does."""
    try:
        bases.run(case.base, wrap(case, root), bases.inputs_of(case.base, root))
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as e:
        said = one_line(e)
        return said, [] if words in said else [f"{case.id}: refused with {said!r}, not {words!r}"]
    return "", [f"{case.id}: PEFT takes it"]
