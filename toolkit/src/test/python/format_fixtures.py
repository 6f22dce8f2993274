"""Makes the files that the tests of org.peft4j.format read: toolkit/src/test/resources/format.

Run it anywhere:
    python -m venv env && env/bin/pip install "torch>=2.6" "safetensors>=0.5" "huggingface_hub>=0.30" numpy
    env/bin/python toolkit/src/test/python/format_fixtures.py
The files that are there now were made with torch 2.13.0, safetensors 0.8.0, huggingface_hub 1.33.0.
Running it again changes nothing but legacy.bin and module.bin, which hold memory addresses.
"""

import json
import os
import random
import struct
from pathlib import Path

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[1] / "resources" / "format"
META = {"format": "pt"}


def codes(n, dtype):
    """All bit patterns of an 8-bit type, or of the few 16-bit ones that matter."""
    if n == 8:
        return torch.arange(256, dtype=torch.int32).to(torch.uint8).view(dtype)
    patterns = [0, 1, 2, 0x3FF, 0x400, 0x401, 0x3C00, 0x3C01, 0x3555, 0x7BFF, 0x7C00, 0x7E00, 0x3F80, 0x3F81,
                0x4049, 0x7F7F, 0x7F80, 0x7FC0, 0x007F, 0x0080]
    both = patterns + [p | 0x8000 for p in patterns]
    return torch.tensor([struct.unpack("<h", struct.pack("<H", p))[0] for p in both], dtype=torch.int16).view(dtype)


def dtypes():
    values = {
        "f64": torch.tensor([[0.1, -1e300], [5e-324, float("inf")]], dtype=torch.float64),
        "f32": torch.tensor([0.1, -3.4028235e38, 1e-45, float("-inf"), 2.0, -0.0]).reshape(3, 2),
        "f16": codes(16, torch.float16),
        "bf16": codes(16, torch.bfloat16),
        "f8_e4m3": codes(8, torch.float8_e4m3fn).reshape(16, 16),
        "f8_e5m2": codes(8, torch.float8_e5m2).reshape(4, 64),
        "i64": torch.tensor([-(2**63), 2**63 - 1, 0, -1]),
        "i32": torch.tensor([-(2**31), 2**31 - 1, 7], dtype=torch.int32),
        "i16": torch.tensor([-32768, 32767], dtype=torch.int16),
        "i8": torch.tensor([-128, 127, 0], dtype=torch.int8),
        "u8": torch.tensor([0, 255, 128], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "u16": torch.tensor([65535], dtype=torch.uint16),
        "u32": torch.tensor([4294967295], dtype=torch.uint32),
        "u64": torch.tensor([1], dtype=torch.uint64),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
    }
    save_file(values, OUT / "dtypes.safetensors", META)
    widened = {k: v.float() for k, v in values.items() if k in ("f16", "bf16", "f8_e4m3", "f8_e5m2")}
    save_file(widened, OUT / "dtypes-widened.safetensors", META)


def narrowing():
    bits = [0, 1, 0x33000000, 0x33000001, 0x33800000, 0x33C00000, 0x387FC000, 0x387FE000, 0x387FFFFF, 0x38800000,
            0x3F800000, 0x3F801000, 0x3F801001, 0x3F803000, 0x3F808000, 0x3F808001, 0x3F818000, 0x477FE000, 0x477FEFFF,
            0x477FF000, 0x47800000, 0x7F7F0000, 0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF, 0x7F800000, 0x3DCCCCCD, 0x40490FDB]
    generator = random.Random(7)
    bits += [generator.getrandbits(31) for _ in range(100)]
    bits = [b for b in bits if b <= 0x7F800000]
    x = torch.tensor([struct.unpack("<f", struct.pack("<I", b | s))[0] for b in bits for s in (0, 0x80000000)])
    save_file({"x": x, "f16": x.half(), "bf16": x.bfloat16()}, OUT / "narrowed.safetensors", META)


def written():
    """What the writer must reproduce byte for byte."""
    tensors = {
        "z": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "a": torch.tensor(1.5),
        "é\"\\\n\t\x01\x7f/😀\uffee": torch.zeros(0, 2),
        "k.f64": torch.tensor([0.5], dtype=torch.float64),
        "k.f16": torch.tensor([0.5, -2], dtype=torch.float16),
        "k.i64": torch.tensor([1, 2, 3]),
        "k.i32": torch.tensor([-1], dtype=torch.int32),
        "k.i8": torch.tensor([-3], dtype=torch.int8),
        "k.u8": torch.tensor([200, 1, 2], dtype=torch.uint8),
        "k.bool": torch.tensor([True, False]),
        "k.bf16": torch.tensor([1.0, -0.1], dtype=torch.bfloat16),
        "B": torch.ones(1),
    }
    save_file(tensors, OUT / "written.safetensors", {"fo\"r": "p\nt é"})
    save_file(tensors, OUT / "written-plain.safetensors")


def shards():
    folder = OUT / "sharded"
    folder.mkdir(exist_ok=True)
    sizes = {"e": 30, "a": 10, "big": 200, "b": 20, "c": 20, "d": 5}
    state = {k: torch.arange(n, dtype=torch.float32) + i for i, (k, n) in enumerate(sizes.items())}
    split = split_torch_state_dict_into_shards(state, max_shard_size=200, filename_pattern="model{suffix}.safetensors")
    for name, keys in split.filename_to_tensors.items():
        save_file({k: state[k] for k in keys}, folder / name, META)
    parameters = sum(t.numel() for t in state.values())
    index = {"metadata": {"total_parameters": parameters, **split.metadata}, "weight_map": split.tensor_to_filename}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


class Evil:
    """Would run a command if anything unpickled it the usual way."""

    def __reduce__(self):
        return os.system, ("touch peft4j-was-here",)


def torch_files():
    folder = OUT / "torch"
    folder.mkdir(exist_ok=True)
    base = torch.arange(24, dtype=torch.float32) / 8
    state = torch.nn.Linear(2, 1).state_dict()
    state.clear()
    state.update({
        "plain": base.reshape(4, 6),
        "second_row": base.reshape(4, 6)[1],
        "transposed": base.reshape(4, 6).t(),
        "stepped": base[1::3],
        "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "one_row": base.reshape(4, 6)[1:2, ::2],
        "half": torch.tensor([[1.5, -2], [65504, 6e-8]], dtype=torch.float16),
        "half_transposed": torch.arange(6, dtype=torch.float16).reshape(2, 3).t(),
        "bfloat16": torch.tensor([1.0, -0.1, 3e38], dtype=torch.bfloat16),
        "double": torch.tensor([0.1], dtype=torch.float64),
        "long": torch.tensor([-(2**63), 5]),
        "int": torch.tensor([-7], dtype=torch.int32),
        "short": torch.tensor([-300], dtype=torch.int16),
        "char": torch.tensor([-5], dtype=torch.int8),
        "byte": torch.tensor([250], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(3.25),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.tensor([1.0, 2.0])),
        "größe": torch.tensor([4.0]),
    })
    expected = {k: v.detach().float() if v.dtype in (torch.float16, torch.bfloat16) else v.detach().clone()
                for k, v in state.items()}
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors", META)
    state["epoch"] = 5
    state["note"] = {"nested": [1, 2.5, None, (True,)], 3: "x" * 300}
    torch.save(state, folder / "state.bin")
    small = {"w": torch.tensor([1.0, 2.0])}
    torch.save(small, folder / "protocol4.bin", pickle_protocol=4)
    torch.save(small, folder / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"w": small["w"], "x": Evil()}, folder / "malicious.bin")
    torch.save(torch.nn.Linear(2, 1), folder / "module.bin")
    torch.save({"state_dict": small, "epoch": 1}, folder / "nested.bin")
    torch.save({"w": torch.tensor([1.0]).expand(1000, 1000)}, folder / "expanded.bin")
    torch.jit.script(torch.nn.ReLU()).save(str(folder / "script.bin"))


def json_files():
    folder = OUT / "json"
    folder.mkdir(exist_ok=True)
    value = {
        "z": [], "a": {}, "m": None, "list": [1, [2, {"x": []}], "s"], "t": True, "f": False,
        "int": 2**63 - 1, "big": 1000000000000000019884624838656, "neg": -5,
        "floats": [0.0, -0.0, 1.0, 0.85, 1e-05, 0.0001, 1e16, 123456789012345.6, 1e15, 1e22, 1e-7, 0.1, 1e100, 5e-324,
                   1.7976931348623157e308, 2.0**-44, 0.002, 5e-05],
        "text": "tab\t nl\n cr\r ff\f bs\b quote\" back\\ slash/ del\x7f nul\x00 é ü € 😀 \u2028",
        "😀": 1, "\uffee": 2, "é": 3, "B": 4, "b": 5, "": 6,
    }
    (folder / "source.json").write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), "utf-8")
    (folder / "sorted.json").write_text(json.dumps(value, indent=2, sort_keys=True))
    (folder / "indented.json").write_text(json.dumps(value, indent=2))
    (folder / "line.json").write_text(json.dumps(value))
    generator = random.Random(11)
    bits = [generator.getrandbits(63) for _ in range(150)] + [e << 52 for e in range(1, 2047, 23)]
    bits += [struct.unpack("<q", struct.pack("<d", generator.randrange(10**6) / 10 ** generator.randrange(9)))[0]
             for _ in range(50)]
    doubles = [(b, struct.unpack("<d", struct.pack("<q", b))[0]) for b in bits]
    lines = [f"{b:016x} {d!r}" for b, d in doubles if d == d and abs(d) != float("inf")]
    (folder / "floats.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    dtypes()
    narrowing()
    written()
    shards()
    torch_files()
    json_files()
