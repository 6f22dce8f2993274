#!/usr/bin/env python3
"""Loads adapter directories that peft4j wrote into Hugging Face PEFT, and keeps what it computes.

Each directory below toolkit/src/test/resources/golden/ours that has a case.json ({"base": "bert"},
a name of golden/hf/base) is loaded by PeftModel.from_pretrained onto that base. It must hold every
tensor that PEFT expects, none that PEFT does not know, each must arrive with its values, and no
warning may be given. Then hf_logits.safetensors beside it gets the outputs for the base's inputs,
and hf_versions.json at the top the versions and the sha256 of every file that was checked, so that
a test can tell when a directory was written again and not checked again. Any failure: exit status
1, all failures listed, nothing written for the failed ones.

    venv/bin/python toolkit/src/test/python/check_ours.py [directory]

Versions, and how to get them: see golden.py.
"""

import argparse
import ast
import hashlib
import json
import os
import sys
import warnings
from pathlib import Path

os.environ.update(
    HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false"
)
sys.dont_write_bytecode = True

import peft  # noqa: E402
import safetensors  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from peft import PeftConfig, PeftModel, get_peft_model_state_dict  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

import golden_bases as bases  # noqa: E402
import golden_kmeans  # noqa: E402
from golden_adapters import HARMLESS, one_line  # noqa: E402

GOLDEN = Path(__file__).resolve().parent.parent / "resources" / "golden"
FILES = ["adapter_config.json", "adapter_model.safetensors"]
# what PEFT writes and can do without: frozen embeddings, and, under bias="all", copies of the
# biases in modules_to_save, and of a shadow's smaller model a table where it reads the base's, and a pooler
OPTIONAL = (
    ".base_layer.weight",
    ".modules_to_save.bias",
    ".original_module.bias",
    "shadow_backbone.default.wte.weight",
    "shadow_backbone.default.embeddings.word_embeddings.weight",
    "shadow_backbone.default.pooler.dense.weight",
    "shadow_backbone.default.pooler.dense.bias",
)
# what PEFT does not save but computes again
COMPUTED = (".adamss_places", ".psoft_A", ".psoft_B")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(base, directory):
    plain = bases.load(base, GOLDEN / "hf")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config = None
        if json.loads((directory / FILES[0]).read_text())["peft_type"] == "XLORA":
            config = PeftConfig.from_pretrained(directory)
            config.adapters = {k: str(directory / v) for k, v in config.adapters.items()}
            plain.config.use_cache = False  # or PEFT refuses
        model = PeftModel.from_pretrained(plain, directory, config=config).eval()
    said = sorted({one_line(w.message) for w in caught})
    return model, [f"warning: {t}" for t in said if not HARMLESS.search(t) and not spared(t)]


def spared(warning):
    """Whether it names nothing but what PEFT can do without."""
    start = "Found missing adapter keys while loading the checkpoint: "
    if not warning.startswith(start):
        return False
    return all(k.endswith(OPTIONAL) for k in ast.literal_eval(warning[len(start) :].rstrip(".")))


def expected_state(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = get_peft_model_state_dict(model, save_embedding_layers="auto")
    if model.active_peft_config.peft_type == "XLORA":  # which PEFT does not give whole
        state = {k: v for k, v in model.state_dict().items() if "internal_xlora_classifier" in k}
    return state


def compare(state, file):
    problems = [
        f"missing key: {k}" for k in sorted(state.keys() - file.keys()) if not k.endswith(OPTIONAL)
    ]
    for key in sorted(file.keys()):
        if key.endswith(COMPUTED):
            continue
        if key not in state:
            problems.append(f"unexpected key: {key}")
        elif state[key].shape != file[key].shape:
            problems.append(
                f"shape: {key}: expected {tuple(state[key].shape)}, found {tuple(file[key].shape)}"
            )
        elif not torch.equal(state[key], file[key].to(state[key].dtype)):
            problems.append(f"not loaded: {key} has other values in the model than in the file")
    return problems


def check(directory):
    """Writes hf_logits.safetensors and returns the problems."""
    outputs = directory / "hf_logits.safetensors"
    outputs.unlink(missing_ok=True)
    absent = [f for f in FILES if not (directory / f).is_file()]
    if absent:
        return [f"missing file: {f}" for f in absent]
    base = json.loads((directory / "case.json").read_text()).get("base")
    if base not in bases.NAMES:
        return [f"case.json: base: expected one of {', '.join(bases.NAMES)}, found {base!r}"]
    try:
        file = load_file(directory / FILES[1])
        model, problems = load(base, directory)
        problems += compare(expected_state(model), file)
        inputs = bases.inputs_of(base, GOLDEN / "hf")
        computed = bases.run(base, model, inputs)
        text = inputs.get("decoder_input_ids", inputs.get("input_ids"))
        for name, value in computed.items():
            if value.dim() == 3:  # without the rows of virtual tokens
                computed[name] = value[:, value.shape[1] - text.shape[1] :].contiguous()
    except Exception as e:  # whatever PEFT raises is a failure of this directory, not of the script
        return [f"{type(e).__name__}: {one_line(e)}"]
    problems += [f"not finite: {k}" for k, v in computed.items() if not v.isfinite().all()]
    if not problems:
        save_file(computed, outputs)
        outputs.chmod(0o644)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", nargs="?", type=Path, default=GOLDEN / "ours")
    top = parser.parse_args().directory.resolve()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    golden_kmeans.install()
    directories = sorted(c.parent for c in top.rglob("case.json"))
    if not directories:
        sys.exit(f"check_ours.py: no case.json below {top}")
    checked, failed = {}, 0
    for directory in directories:
        name = directory.relative_to(top).as_posix()
        problems = check(directory)
        print(f"{'FAILED' if problems else 'ok    '} {name}")
        for problem in problems:
            print(f"       {problem}")
        if problems:
            failed += 1
        else:
            checked[name] = {f: sha256(directory / f) for f in FILES}
    found = {m.__name__: m.__version__ for m in (torch, transformers, peft, safetensors)}
    report = {"versions": found, "checked": checked}
    (top / "hf_versions.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"{len(checked)} ok, {failed} failed, of {len(directories)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
