#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/xlora: X-LoRAs on the bases of golden/hf, and their outputs.

PEFT 0.21 does not save an X-LoRA whole: what it writes leaves out tensors whose names have a number
that one of the LoRAs is called by, such as the first layer of the classifier and the LoRAs' tensors in
the first layers of the model. And it reads LoRAs of models alone whose modules are all in one that is
called model, as Llama's are. So each directory here has the classifier as its state_dict gives it, and
the LoRAs as PEFT saved them before they were put together, in folders 0, 1, ... beside it. PEFT must
read that to the same outputs.

Versions, and how to get them: see golden.py. How to run, from anywhere, without network:
    venv/bin/python toolkit/src/test/python/golden_xlora.py
"""

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
HF = HERE.parent / "resources" / "golden" / "hf"
TARGET = HF.with_name("xlora")

if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes target_modules in the order of a set
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
os.environ.update(
    HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false"
)
sys.dont_write_bytecode = True

import torch  # noqa: E402
import transformers  # noqa: E402
from peft import LoraConfig, PeftModel, XLoraConfig, get_peft_model  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import golden_adapters as adapters  # noqa: E402
import golden_bases as bases  # noqa: E402
from golden_cases import NAMES  # noqa: E402

CLASSIFIER = "base_model.internal_xlora_classifier."
CASES = {
    "llama": ("llama", {}),
    "llama_deep": ("llama", dict(xlora_depth=3, xlora_size=6, softmax_temperature=0.4)),
    "llama_layerwise": (
        "llama",
        dict(xlora_depth=2, xlora_size=6, xlora_dropout_p=0.0, layerwise_scalings=True, global_scaling_weight=1.5),
    ),
    "llama_top": ("llama", dict(top_k_lora=2, layerwise_scalings=True)),
    "llama_top_softmax": ("llama", dict(top_k_lora=2, enable_softmax=False, enable_softmax_topk=True)),
    "llama_scores": ("llama", dict(enable_softmax=False, scaling_pass_value=0.3, use_trainable_adapters=True)),
    "llama_first": ("llama", dict(scaling_pass_value=0.5, enable_softmax=False, enable_softmax_topk=True)),
}


def load(base):
    model = bases.load(base, HF)
    model.config.use_cache = False  # or PEFT refuses
    return model


def experts(base, directory):
    """Three LoRAs of different ranks and modules."""
    n = NAMES[base]
    for i, targets in enumerate([[n["q"], n["v"]], [n["q"], n["up"]], [n["v"]]]):
        adapters.seed(f"{directory.name} {i}")
        config = LoraConfig(
            r=2 + i, lora_alpha=5, target_modules=targets, use_rslora=i == 1, task_type=bases.task_type(base)
        )
        with adapters.quiet():
            model = get_peft_model(load(base), config)
        adapters.perturb(model)
        adapters.save(model, directory / str(i))
    return {str(i): str(directory / str(i)) for i in range(3)}


def make(name, directory):
    base, settings = CASES[name]
    directory.mkdir()
    named = experts(base, directory)
    hidden = load(base).config.hidden_size
    config = XLoraConfig(
        task_type=bases.task_type(base), hidden_size=hidden, adapters=named, **settings
    )
    adapters.seed(name)
    with adapters.quiet():
        model = get_peft_model(load(base), config).eval()
    classifier = model.base_model.internal_xlora_classifier
    with torch.no_grad():
        for p in classifier.parameters():
            p.add_((0.5 if config.enable_softmax else 0.1) * torch.randn_like(p))
    inputs = bases.inputs_of(base, HF)
    live = bases.run(base, model, inputs)
    state = {CLASSIFIER + k: v.contiguous() for k, v in classifier.state_dict().items()}
    save_file(state, directory / "adapter_model.safetensors", {"format": "pt"})
    config = model.peft_config["default"]
    config.inference_mode = True
    config.save_pretrained(str(directory))
    again = PeftModel.from_pretrained(load(base), str(directory)).eval()
    error = bases.distance(base, inputs, live, bases.run(base, again, inputs))
    effect = bases.distance(base, inputs, live, bases.expected(base, HF))
    print(f"{name}: effect {effect:.3f}, read again {error:.1e}")
    if error > 1e-6 or effect < 0.05:
        sys.exit(f"golden_xlora.py: {name}: a surprise")
    file = directory / "adapter_config.json"
    entries = json.loads(file.read_text())
    entries["adapters"] = {i: i for i in entries["adapters"]}
    entries["base_model_name_or_path"] = f"base/{base}"
    file.write_text(json.dumps(entries, indent=2, sort_keys=True))
    save_file(live, directory / "logits.safetensors")
    (directory / "case.json").write_text(json.dumps({"base": base}) + "\n")


def main():
    warnings.filterwarnings("ignore")
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    for name in CASES:
        make(name, TARGET / name)
    files = [f for f in TARGET.rglob("*") if f.is_file()]
    for f in files:
        f.chmod(0o644)
    print(f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.2f} MB in {TARGET}")


if __name__ == "__main__":
    main()
