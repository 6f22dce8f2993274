"""Makes LoRAs twice, as PEFT saves them and as a GGUF file of llama.cpp, with PEFT's logits: toolkit/src/test/resources/gguf/lora.

Run it where gguf_fixtures.py ran, with peft beside the rest:
    env/bin/python toolkit/src/test/python/gguf_lora_fixtures.py
The files that are there now were made with torch 2.13.0, transformers 5.17.0, peft 0.21.0, gguf 0.19.0.
Then ../node/llama_cpp.mjs asks llama.cpp itself. Running them again changes nothing.
"""

import json
import math
import shutil

import gguf
import numpy as np
import torch
from gguf_fixtures import OUT, finish, gguf_names, permute
from peft import LoraConfig, get_peft_model
from safetensors.numpy import save_file
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

LORA = OUT / "lora"
CASES = {
    "llama": ("llama", dict(target_modules="all-linear", r=4, lora_alpha=6, rank_pattern={"k_proj": 2})),
    "llama-scales": ("llama", dict(target_modules=["q_proj", "down_proj"], r=2, lora_alpha=3, use_rslora=True, alpha_pattern={"down_proj": 5})),
    "qwen2": ("qwen2", dict(target_modules=["q_proj", "embed_tokens", "lm_head"], r=3, lora_alpha=2)),
    "gpt2": ("gpt2", dict(target_modules=["c_attn", "c_fc"], r=3, lora_alpha=4, fan_in_fan_out=True)),
}


def write(name, arch, model, alpha, scaled):
    """The tensors of a LoRA in the order of its modules; alpha by rank is the scale of each."""
    config = model.config
    heads = {"q_proj": config.num_attention_heads, "k_proj": getattr(config, "num_key_value_heads", None)}
    writer = gguf.GGUFWriter(LORA / f"{name}.gguf", arch)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_name(arch)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for path, (a, b) in scaled.items():
        known = gguf_names([path + ".weight"], arch == "gpt2")
        target = next(iter(known))
        if arch == "llama" and path.split(".")[-1] in heads:
            b = permute(b, heads[path.split(".")[-1]])
        writer.add_tensor(target + ".lora_a", np.ascontiguousarray(a.T if target == "token_embd.weight" else a))
        writer.add_tensor(target + ".lora_b", np.ascontiguousarray(b))
    finish(writer)


def load(base):
    weights = OUT / f"{base}-weights.safetensors"
    if not weights.exists():
        return AutoModelForCausalLM.from_pretrained(OUT, gguf_file=f"{base}.gguf", dtype=torch.float32).eval()
    values = json.loads((OUT / f"{base}-config.json").read_text())
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(values.pop("model_type"), **values))
    model.load_state_dict(load_file(weights), strict=False)
    model.tie_weights()
    return model.eval()


def make(name, base, options):
    torch.manual_seed(11)
    model = load(base)
    tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    factors, alphas = {}, {}
    with torch.no_grad():
        for path, module in tuned.base_model.model.named_modules():
            if not hasattr(module, "lora_A"):
                continue
            embedding = "default" in module.lora_embedding_A
            a = module.lora_embedding_A["default"] if embedding else module.lora_A["default"].weight
            b = module.lora_embedding_B["default"] if embedding else module.lora_B["default"].weight
            a.copy_(torch.randn(a.shape) * 0.2)
            b.copy_(torch.randn(b.shape) * 0.2)
            factors[path] = (a.numpy().copy(), b.numpy().copy())
            rank = a.shape[0]
            alphas[path] = module.lora_alpha["default"] * (math.sqrt(rank) if options.get("use_rslora") else 1)
    alpha = max(alphas.values(), key=list(alphas.values()).count)
    for path, (a, b) in factors.items():
        if alphas[path] != alpha:
            factors[path] = (a, b * np.float32(alphas[path] / alpha))
    folder = LORA / name
    shutil.rmtree(folder, ignore_errors=True)
    tuned.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["target_modules"].sort()  # PEFT writes a set
    config["base_model_name_or_path"] = base
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    write(name, base, model, alpha, factors)
    ids = torch.tensor([[3, 5, 8, 13, 21], [34, 9, 2, 7, 1]])
    with torch.no_grad():
        logits = tuned(input_ids=ids).logits
    save_file({"input_ids": ids.numpy(), "logits": logits.numpy()}, LORA / f"{name}-logits.safetensors")


if __name__ == "__main__":
    LORA.mkdir(parents=True, exist_ok=True)
    for case, (base, options) in CASES.items():
        make(case, base, options)
