#!/usr/bin/env python3
"""Writes graphs of torch.onnx to time ours against: `./peft bench onnx --against DIR`.

    venv/bin/python toolkit/src/test/python/bench_torch_graphs.py DIR [--only encoder]

encoder.onnx: BERT of all-MiniLM-L6-v2's shape, random weights, opset 23, batch and sequence open.
decoder.onnx: Llama of SmolLM2-135M's shape, random weights, with keys and values of earlier tokens
as inputs and outputs, named as Optimum names them. Prints the seconds of the second, warm export of
the encoder, graph on disk. 2 threads. Versions, and how to get them: see golden.py; onnxscript too.
"""

import argparse
import time
import warnings
from pathlib import Path

import torch
import transformers
from transformers.cache_utils import DynamicCache

warnings.filterwarnings("ignore")
torch.set_num_threads(2)
BATCH, LENGTH, PAST = (torch.export.Dim.DYNAMIC,) * 3


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = transformers.BertModel(
            transformers.BertConfig(
                hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
            ),
            add_pooling_layer=False,
        ).eval()

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state


class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.config = transformers.LlamaConfig(
            vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
            num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192,
            rope_theta=100000.0, tie_word_embeddings=True,
        )
        self.model = transformers.LlamaForCausalLM(self.config).eval()

    def forward(self, input_ids, attention_mask, position_ids, past):
        cache = DynamicCache()
        for i in range(0, len(past), 2):
            cache.update(past[i], past[i + 1], i // 2)
        out = self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids,
            past_key_values=cache, use_cache=True,
        )
        present = []
        for layer in out.past_key_values.layers:
            present += [layer.keys, layer.values]
        return (out.logits, *present)


def write_encoder(folder):
    model = Encoder()
    ids = torch.randint(0, 30000, (2, 7))
    one = {0: BATCH, 1: LENGTH}
    for run in ("cold", "warm"):
        start = time.perf_counter()
        torch.onnx.export(
            model, (ids, torch.ones_like(ids), torch.zeros_like(ids)), str(folder / "encoder.onnx"),
            input_names=["input_ids", "attention_mask", "token_type_ids"],
            output_names=["last_hidden_state"], opset_version=23, dynamo=True, verbose=False,
            dynamic_shapes=(one, one, one),
        )
        print(f"encoder, torch.onnx dynamo, {run}: {time.perf_counter() - start:.2f} s")


def write_decoder(folder):
    model = Decoder()
    layers, heads = model.config.num_hidden_layers, model.config.num_key_value_heads
    size = model.config.hidden_size // model.config.num_attention_heads
    past = [torch.randn(2, heads, 6, size) for _ in range(2 * layers)]
    ids = torch.randint(0, 49152, (2, 5))
    names = [f"{{}}.{i}.{kv}" for i in range(layers) for kv in ("key", "value")]
    torch.onnx.export(
        model, (ids, torch.ones(2, 11, dtype=torch.int64), torch.arange(6, 11).expand(2, 5), past),
        str(folder / "decoder.onnx"),
        input_names=["input_ids", "attention_mask", "position_ids"]
        + [n.format("past_key_values") for n in names],
        output_names=["logits"] + [n.format("present") for n in names],
        opset_version=23, dynamo=True, verbose=False,
        dynamic_shapes=(
            {0: BATCH, 1: LENGTH}, {0: BATCH, 1: PAST}, {0: BATCH, 1: LENGTH}, [{0: BATCH, 2: PAST}] * (2 * layers),
        ),
    )
    print("decoder written")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["encoder", "decoder"])
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        if args.only != "decoder":
            write_encoder(args.folder)
        if args.only != "encoder":
            write_decoder(args.folder)
