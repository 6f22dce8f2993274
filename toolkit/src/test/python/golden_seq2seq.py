#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/seq2seq: tiny random encoder-decoders with what
transformers computes on them: logits with padding on either side, greedy and beam continuations,
losses and gradients; and a LoRA adapter of PEFT's.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, peft 0.21.0, safetensors 0.8.0, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install transformers==5.17.0 peft==0.21.0 safetensors==0.8.0
How to run, from anywhere, without network, in half a minute:
    venv/bin/python toolkit/src/test/python/golden_seq2seq.py
"""

import json
import os
import shutil
import sys
import zlib
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
sys.dont_write_bytecode = True

import torch  # noqa: E402
import transformers  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402
from transformers.models.t5.modeling_t5 import T5Attention  # noqa: E402

import golden_adapters as adapters  # noqa: E402

TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "seq2seq"
VOCABULARY, STEPS, START, END = 64, 32, 0, 1

SIZES = {
    "vocab_size": VOCABULARY,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 12,
    "dropout_rate": 0.1,
    "pad_token_id": 0,
    "eos_token_id": END,
    "decoder_start_token_id": START,
}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
CASES = {
    "t5": ("T5Config", "T5ForConditionalGeneration", {"num_layers": 3, "num_decoder_layers": 2}),
    "t5_v11": ("T5Config", "T5ForConditionalGeneration", {**GATED, "d_kv": 16}),
    "mt5": ("MT5Config", "MT5ForConditionalGeneration", GATED),
    "t5_model": ("T5Config", "T5Model", {"num_layers": 1}),
    "t5_encoder": ("T5Config", "T5EncoderModel", {"num_layers": 1}),
}
CHOICES = {"greedy": {}, "penalised": {"repetition_penalty": 1.3}}
SEARCHES = {
    "beams": {"num_beams": 3},
    "beams_long": {"num_beams": 3, "length_penalty": 2.0},
    "beams_early": {"num_beams": 3, "early_stopping": True},
    "beams_short": {"num_beams": 4, "length_penalty": -1.0},
    "beams_penalised": {"num_beams": 2, "repetition_penalty": 1.3},
}
LEARNED = ("relative", "shared", "lm_head", "encoder.block.1.layer.0.SelfAttention.q", "EncDecAttention.k")
LENGTHS, TARGETS = (9, 5, 7), (6, 8, 3)


def padded(rows, left, fill=0):
    width, ids, mask = max(map(len, rows)), [], []
    for row in rows:
        gap = width - len(row)
        ids.append([fill] * gap + row if left else row + [fill] * gap)
        mask.append([0] * gap + [1] * len(row) if left else [1] * len(row) + [0] * gap)
    return torch.tensor(ids), torch.tensor(mask)


def build(name):
    kind, architecture, more = CASES[name]
    torch.manual_seed(zlib.crc32(name.encode()))
    config = getattr(transformers, kind)(**{**SIZES, **more})
    config._attn_implementation = "eager"
    model = getattr(transformers, architecture)(config).float().eval()
    untied = more.get("tie_word_embeddings") is False
    if untied:  # this version ties what published files do not
        model.lm_head.weight = torch.nn.Parameter(torch.randn(VOCABULARY, SIZES["d_model"]))
    head = 4 if hasattr(model, "lm_head") else 1
    with torch.no_grad():
        for n, p in model.named_parameters():
            if p.dim() == 1:
                p.add_(0.2 * torch.randn_like(p))
            elif "relative_attention_bias" in n:
                p.copy_(torch.randn_like(p))
            elif n.endswith((".q.weight", ".k.weight")):
                p.copy_(0.12 * torch.randn_like(p))
            elif n.endswith((".v.weight", ".o.weight", ".wo.weight")):
                p.mul_(1.5)
            elif n in ("shared.weight", "lm_head.weight"):
                p.mul_(0.12)  # or a tied model would repeat its last token for ever
        if untied:
            model.lm_head.weight[END] *= 2  # texts should end now and then
        (model.decoder if hasattr(model, "decoder") else model.encoder).final_layer_norm.weight.mul_(
            1 if untied else head
        )
    return config, architecture, model, untied


def write(folder, config, architecture, model, untied):
    folder.mkdir(parents=True)
    kept = {n: p for n, p in model.state_dict().items() if "embed_tokens" not in n}
    if not untied:
        kept.pop("lm_head.weight", None)
    save_file(
        {n: p.contiguous() for n, p in kept.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    written = config.to_dict()
    written["architectures"] = [architecture]
    if hasattr(config, "scale_decoder_outputs"):  # as published files are, without this version's
        written.pop("scale_decoder_outputs")
    written["tie_word_embeddings"] = not untied
    (folder / "config.json").write_text(json.dumps(written, indent=1, sort_keys=True) + "\n")


def reloaded(folder, architecture):
    model = getattr(transformers, architecture).from_pretrained(folder).float().eval()
    model.set_attn_implementation("eager")
    return model


def rows():
    generator = torch.Generator().manual_seed(7)

    def draw(lengths):
        return [torch.randint(3, VOCABULARY, (n,), generator=generator).tolist() for n in lengths]

    return draw(LENGTHS), draw(TARGETS)


def forward(model, ids, mask, decoder):
    if decoder is None:
        return {"last_hidden_state": model(ids, attention_mask=mask).last_hidden_state}
    out = model(ids, attention_mask=mask, decoder_input_ids=decoder)
    key = "logits" if hasattr(out, "logits") else "last_hidden_state"
    return {key: getattr(out, key)}


def make(name):
    config, architecture, model, untied = build(name)
    folder = TARGET / name
    write(folder, config, architecture, model, untied)
    again = reloaded(folder, architecture)
    io = {}
    sources, targets = rows()
    decoder, _ = padded([[START] + t[:-1] for t in targets], False)
    with torch.no_grad():
        for side in ("right", "left"):
            ids, mask = padded(sources, side == "left")
            io[f"{side}.input_ids"], io[f"{side}.attention_mask"] = ids, mask
            outputs = forward(again, ids, mask, None if name == "t5_encoder" else decoder)
            for key, value in outputs.items():
                io[f"{side}.{key}"] = value
                before = forward(model, ids, mask, None if name == "t5_encoder" else decoder)[key]
                assert (before - value).abs().max() < 1e-5, f"{name} does not reload"
        if name != "t5_encoder":
            io["decoder_input_ids"] = decoder
            ids, mask = padded(sources, False)
            gaps, seen = padded([[START] + t[:-1] for t in targets], True)
            io["gaps.decoder_input_ids"], io["gaps.decoder_attention_mask"] = gaps, seen
            out = again(ids, attention_mask=mask, decoder_input_ids=gaps, decoder_attention_mask=seen)
            io["gaps.output"] = out[0]
        if architecture.endswith("ConditionalGeneration"):
            generate(again, io, sources)
    if name in ("t5", "t5_v11"):
        learn(again, io, sources, targets)
    save_file({k: v.contiguous() for k, v in io.items()}, folder / "io.safetensors")
    return again


def generate(model, io, sources):
    ids, mask = padded(sources, False)
    for label, options in {**CHOICES, **SEARCHES}.items():
        out = model.generate(
            ids, attention_mask=mask, max_new_tokens=STEPS, do_sample=False, **options
        )
        io[f"{label}.tokens"] = out[:, 1:].contiguous()


def learn(model, io, sources, targets):
    ids, mask = padded(sources, False)
    labels, _ = padded([t + [END] for t in targets], False, -100)
    out = model(input_ids=ids, attention_mask=mask, labels=labels)
    out.loss.backward()
    io["loss"] = out.loss.detach().reshape(1)
    io["labels"] = labels
    for n, p in model.named_parameters():
        if p.grad is not None and any(k in n for k in LEARNED):
            io[f"gradient.{n}"] = p.grad.clone()
    model.zero_grad()


def adapt(name):
    """A LoRA adapter on q and v of both kinds of attention, as PEFT writes it."""
    adapters.seed(name)
    folder = TARGET / f"{name}_lora"
    base = reloaded(TARGET / name, CASES[name][1])
    config = LoraConfig(task_type="SEQ_2_SEQ_LM", r=8, lora_alpha=4, target_modules=["q", "v"])
    model = get_peft_model(base, config).eval()
    adapters.perturb(model)
    adapters.save(model, folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = name
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    sources, targets = rows()
    decoder, _ = padded([[START] + t[:-1] for t in targets], False)
    io = {}
    with torch.no_grad():
        for side in ("right", "left"):
            ids, mask = padded(sources, side == "left")
            out = model(input_ids=ids, attention_mask=mask, decoder_input_ids=decoder)
            io[f"{side}.logits"] = out.logits
        ids, mask = padded(sources, False)
        tokens = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=STEPS, do_sample=False
        )
        io["greedy.tokens"] = tokens[:, 1:]
    save_file({k: v.contiguous() for k, v in io.items()}, folder / "io.safetensors")


def causal(name):
    """Beam search of a language model of golden/families, prompts padded on the left."""
    model = AutoModelForCausalLM.from_pretrained(TARGET.parent / "families" / name).float().eval()
    model.set_attn_implementation("eager")
    ids, mask = padded(rows()[0], True)
    io = {"input_ids": ids, "attention_mask": mask}
    for label, options in SEARCHES.items():
        out = model.generate(
            ids, attention_mask=mask, max_new_tokens=STEPS, do_sample=False, **options
        )
        io[f"{label}.tokens"] = out[:, ids.shape[1] :].contiguous()
    save_file(io, TARGET / f"beams_{name}.safetensors")


def buckets():
    """The bucket of every distance from -max to max, for several tables."""
    out = {}
    for n, farthest in ((32, 128), (8, 12), (16, 100), (64, 256), (4, 3), (32, 20)):
        distances = torch.arange(-farthest, farthest + 1)
        for both in (True, False):
            table = T5Attention._relative_position_bucket(distances, both, n, farthest)
            out[f"{n}.{farthest}.{'both' if both else 'behind'}"] = table
    save_file(out, TARGET / "buckets.safetensors")


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    for name in CASES:
        make(name)
    adapt("t5")
    adapt("t5_v11")
    causal("llama")
    causal("qwen2_window")
    buckets()
    for f in TARGET.rglob("*"):
        if f.is_file():
            f.chmod(0o644)
    print(sum(f.stat().st_size for f in TARGET.rglob("*") if f.is_file()), "bytes")


if __name__ == "__main__":
    main()
