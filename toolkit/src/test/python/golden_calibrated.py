#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/calibrated: LoRA starts that Hugging Face PEFT makes from
data (EVA, CorDA, LoRA-GA) on golden/hf/base/llama, and what the model computes with them.

inputs.safetensors: the texts. <case>.safetensors: A and B of every site as they start (sites by
their path, EVA's without B, which is 0), and logits for the base's own inputs after a change that
does not depend on the signs of singular vectors: EVA's B = W A^T / 10, CorDA's A times 1.5.

EVA's PCA is incremental and randomised; with all texts in one batch and a rank r with
2 rho r >= width it is exact, so rho r is 16 here. CorDA gets the texts one by one, without
padding, as PEFT asks. LoRA-GA gets the texts one by one too, their next tokens being the loss; its
SVD is randomised, but exact where 4 r >= width. Its base depends on the signs of singular vectors,
so only A and B are kept.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 peft==0.21.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_calibrated.py
"""

import shutil
import sys
import warnings
from pathlib import Path

sys.dont_write_bytecode = True

import torch  # noqa: E402
from peft import (  # noqa: E402
    EvaConfig,
    LoraConfig,
    get_peft_model,
    initialize_lora_eva_weights,
)
from peft.tuners.lora.config import CordaConfig, LoraGAConfig  # noqa: E402
from peft.tuners.lora.corda import preprocess_corda  # noqa: E402
from peft.tuners.lora.loraga import preprocess_loraga  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import golden_bases as bases  # noqa: E402

GOLDEN = Path(__file__).resolve().parent.parent / "resources" / "golden"
TARGET = GOLDEN / "calibrated"
TARGETS = {
    "eva": ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj"],  # of width 32
    "corda": ["q_proj", "k_proj", "v_proj", "down_proj"],
    "lora_ga": ["q_proj", "o_proj", "up_proj"],
}
TEXTS, LONGEST = 24, 12


def texts():
    torch.manual_seed(17)
    lengths = torch.randint(4, LONGEST + 1, (TEXTS,))
    lengths[0] = LONGEST
    # a few words are frequent, so that some directions vary more than others
    ids = (3 + 60 * torch.rand(TEXTS, LONGEST) ** 2).long()
    mask = (torch.arange(LONGEST) < lengths[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


def layers(model):
    prefix = "base_model.model."
    for name, module in model.named_modules():
        if hasattr(module, "lora_A") and "default" in module.lora_A:
            yield name.removeprefix(prefix), module


def keep(case, model, change):
    out = {}
    with torch.no_grad():
        for path, module in layers(model):
            out[path + ".A"] = module.lora_A["default"].weight.clone()
            out[path + ".B"] = module.lora_B["default"].weight.clone()
            change(module)
        out["logits"] = bases.run("llama", model, bases.inputs_of("llama", GOLDEN / "hf"))["logits"]
    save_file({k: v.contiguous() for k, v in out.items()}, TARGET / f"{case}.safetensors")


def eva(case, rank, rho, data):
    model = bases.load("llama", GOLDEN / "hf")
    config = LoraConfig(
        r=rank,
        lora_alpha=16,
        target_modules=TARGETS["eva"],
        init_lora_weights="eva",
        eva_config=EvaConfig(rho=rho),
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(model, config, low_cpu_mem_usage=True).eval()
    initialize_lora_eva_weights(model, [data], show_progress_bar=False)

    def change(module):
        a = module.lora_A["default"].weight
        module.lora_B["default"].weight.copy_(module.base_layer.weight @ a.T / 10)

    keep(case, model, change)


def corda(case, method, data):
    model = bases.load("llama", GOLDEN / "hf")
    config = LoraConfig(
        r=4,
        lora_alpha=6,
        target_modules=TARGETS["corda"],
        init_lora_weights="corda",
        corda_config=CordaConfig(corda_method=method),
        task_type="CAUSAL_LM",
    )

    def run():
        for ids, mask in zip(data["input_ids"], data["attention_mask"]):
            model(input_ids=ids[: mask.sum()].unsqueeze(0))

    with torch.no_grad():
        preprocess_corda(model, config, run_model=run)
    model = get_peft_model(model, config).eval()
    keep(case, model, lambda m: m.lora_A["default"].weight.mul_(1.5))


def lora_ga(case, gamma, data):
    model = bases.load("llama", GOLDEN / "hf")
    config = LoraConfig(
        r=8,
        lora_alpha=6,
        target_modules=TARGETS["lora_ga"],
        init_lora_weights="lora_ga",
        lora_ga_config=LoraGAConfig(stable_gamma=gamma),
        task_type="CAUSAL_LM",
    )

    def run():
        for ids, mask in zip(data["input_ids"], data["attention_mask"]):
            text = ids[: mask.sum()].unsqueeze(0)
            model(input_ids=text, labels=text).loss.backward()

    preprocess_loraga(model, config, run)
    model = get_peft_model(model, config).eval()
    out = {}
    for path, module in layers(model):
        out[path + ".A"] = module.lora_A["default"].weight.detach().clone()
        out[path + ".B"] = module.lora_B["default"].weight.detach().clone()
    save_file({k: v.contiguous() for k, v in out.items()}, TARGET / f"{case}.safetensors")


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    data = texts()
    save_file(data, TARGET / "inputs.safetensors")
    eva("eva", 8, 2.0, data)
    eva("eva_rho_1", 16, 1.0, data)
    corda("corda_ipm", "ipm", data)
    corda("corda_kpm", "kpm", data)
    lora_ga("lora_ga", 16, data)
    for file in sorted(TARGET.iterdir()):
        file.chmod(0o644)
        print(file.relative_to(TARGET.parent), file.stat().st_size)


if __name__ == "__main__":
    main()
