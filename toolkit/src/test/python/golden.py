#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/hf: models, adapters and training runs of Hugging Face PEFT.

Versions (exactly these; others write other files):
    torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, numpy 2.4.6,
    Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 peft==0.21.0 safetensors==0.8.0 numpy==2.4.6
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden.py [directory]

Two runs write the same bytes on the same machine; on another CPU the last bits may differ.
Everything is written into a fresh directory that replaces the old one only if no expectation
failed: each case states what PEFT does with its own file (reload, merge), and a surprise is an
error.
"""

import argparse
import json
import os
import shutil
import sys
import warnings
from pathlib import Path

EXPECTED = {"torch": "2.13.0", "transformers": "5.17.0", "peft": "0.21.0", "safetensors": "0.8.0"}
TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "hf"

if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes target_modules in the order of a set
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
os.environ.update(
    HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false"
)
sys.dont_write_bytecode = True

import peft  # noqa: E402
import safetensors  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

import golden_adalora  # noqa: E402
import golden_adapters  # noqa: E402
import golden_bases  # noqa: E402
import golden_cases  # noqa: E402
import golden_random  # noqa: E402
import golden_several  # noqa: E402
import golden_training  # noqa: E402
import golden_variants  # noqa: E402


def versions():
    found = {
        m.__name__: m.__version__.partition("+")[0]
        for m in (torch, transformers, peft, safetensors)
    }
    if found != EXPECTED:
        sys.exit(f"golden.py: wrong versions\nexpected: {EXPECTED}\nfound:    {found}")
    return found


def index(root, rows, refused):
    return {
        "about": {
            "paths": "relative to this file",
            "adapters": "directories to load, all active at once",
            "io": "outputs with the adapters active, in eval mode; <output>_merged, "
            "<output>_disabled, <output>_exact and <output>_live where a case says so; the inputs "
            "are in the base's io",
            "disabled": "base: with the adapters disabled the outputs are the base's; stored: they "
            "differ (trained biases, or a base shifted by PiSSA or OLoRA) and are in io",
            "merged": "outputs after merge_and_unload. same: those of the unmerged model; stored: they "
            "differ, wrongly (see hf_wrong), and are in io; fails: PEFT refuses",
            "effect": "largest difference that the adapter makes to an output",
            "blind": "trained tensors that the outputs do not depend on",
            "tolerance": "absolute, per output value; for float32 in another order of operations",
            "svd": "factors of an SVD or QR have arbitrary signs: compare products or outputs",
            "position_ids": "0, 1, 2, ... in every row, also with padding on the left",
            "refused": "what PEFT refuses, and its words; the first of the id is the base",
        },
        "versions": versions(),
        "bases": {b: golden_bases.describe(b, root) for b in golden_bases.NAMES},
        "refused": refused,
        "cases": rows,
    }


def decompose_precisely():
    """Singular vectors that lie close together turn by LAPACK's rounding, which differs between
    processors; in double precision what PiSSA makes of them is the same everywhere."""
    svd = torch.linalg.svd

    def precise(a, full_matrices=True, **options):
        u, s, vh = svd(a.double(), full_matrices=full_matrices, **options)
        return u.to(a.dtype), s.to(a.dtype), vh.to(a.dtype)

    torch.linalg.svd = precise


def make(root):
    rows, problems = [], []
    for base in golden_bases.NAMES:
        golden_bases.make(base, root)
    for case in [*golden_cases.all_cases(), *golden_variants.all_cases()]:
        row, said = golden_adapters.make(case, root)
        rows.append(row)
        problems += said
    for more in (golden_several.make, golden_adalora.make_pruned):
        found, said = more(root)
        rows += found
        problems += said
    problems += golden_adalora.make_traces(root) + golden_training.make(root)
    golden_random.make(root)
    refused = {}
    for case, words in golden_variants.refused():
        refused[case.id], said = golden_adapters.refuse(case, words, root)
        problems += said
    (root / "index.json").write_text(json.dumps(index(root, rows, refused), indent=1) + "\n")
    return rows, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", nargs="?", type=Path, default=TARGET)
    target = parser.parse_args().directory.resolve()
    versions()
    warnings.filterwarnings("ignore", message="Careful, disabling adapter layers with bias")
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    decompose_precisely()
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    os.chdir(fresh)
    rows, problems = make(fresh)
    if problems:
        sys.exit(
            "golden.py: surprises, nothing replaced (see " + f"{fresh})\n" + "\n".join(problems)
        )
    files = [f for f in fresh.rglob("*") if f.is_file()]
    for f in files:
        f.chmod(0o644)
    os.chdir(target.parent)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    size = sum((target / f.relative_to(fresh)).stat().st_size for f in files)
    print(f"{len(rows)} cases, {len(files)} files, {size / 1e6:.2f} MB in {target}")


if __name__ == "__main__":
    main()
