#!/usr/bin/env python3
"""Times transformers beside us; run by `./peft bench load` and `./peft bench decode` with --python.

    venv/bin/python toolkit/src/test/python/bench_transformers.py load FOLDER --runs 5
    venv/bin/python toolkit/src/test/python/bench_transformers.py decode FOLDER --runs 5 --dtype f32

Prints one line of JSON: seconds of each run. "load": until the model is ready, files in the page
cache ("load_file" is safetensors' own function alone). "decode": per token, behind a prompt of
--past tokens, the model called in a loop with its cache ("loop"), and its generate() ("generate").
Versions, and how to get them: see golden.py.
"""

import argparse
import json
import time
import warnings

import torch
import transformers
from safetensors.torch import load_file

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def timed(runs, body):
    body()
    out = []
    for _ in range(runs):
        start = time.perf_counter()
        body()
        out.append(time.perf_counter() - start)
    return out


def load(args):
    def model():
        made = transformers.AutoModelForCausalLM.from_pretrained(args.folder, dtype=DTYPES[args.dtype])
        return sum(float(p.flatten()[-1]) for p in made.parameters())

    def tensors():  # mapped pages count when they have been read
        return sum(float(t.float().sum()) for t in load_file(args.folder + "/model.safetensors").values())

    return {"from_pretrained": timed(args.runs, model), "load_file": timed(args.runs, tensors)}


def decode(args):
    model = transformers.AutoModelForCausalLM.from_pretrained(args.folder, dtype=DTYPES[args.dtype]).eval()
    prompt = torch.tensor([[100 + (i * 7919) % 5000 for i in range(args.past)]])
    loop, generate = [], []
    with torch.inference_mode():
        for run in range(args.runs + 1):
            out = model(prompt, use_cache=True, logits_to_keep=1)
            cache, token = out.past_key_values, torch.tensor([[100]])
            start = time.perf_counter()
            for _ in range(args.tokens):
                out = model(token, past_key_values=cache, use_cache=True)
                int(out.logits[0, -1].argmax())
            seconds = (time.perf_counter() - start) / args.tokens
            n = dict(do_sample=False, eos_token_id=None, pad_token_id=0)
            start = time.perf_counter()
            model.generate(prompt, max_new_tokens=1, **n)
            first = time.perf_counter() - start
            start = time.perf_counter()
            model.generate(prompt, max_new_tokens=1 + args.tokens, **n)
            whole = (time.perf_counter() - start - first) / args.tokens
            if run > 0:
                loop.append(seconds)
                generate.append(whole)
    return {"loop": loop, "generate": generate}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["load", "decode"])
    parser.add_argument("folder")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--past", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(json.dumps({"load": load, "decode": decode}[args.what](args)))
