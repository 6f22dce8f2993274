"""What torch's CPU generator (MT19937) draws, and what VeRA makes of it."""

import json
import struct
from pathlib import Path

import numpy
import torch
from peft.tuners.vera.model import _kaiming_init

SEEDS = [0, 1, 42, 2**31, 2**32 + 7]
BOUNDS = [1.0, 0.1, 0.4330127, 2.4494898]


def _bits(tensor):
    return " ".join(
        f"{b:08x}" for b in struct.unpack(f"<{tensor.numel()}I", tensor.numpy().tobytes())
    )


def _generator(seed):
    return torch.Generator("cpu").manual_seed(seed)


def _row(seed):
    # numpy's legacy seeding is the same init_genrand; torch has no way to ask for the raw words, but
    # its rand is their low 24 bits, and its random_ below 2^28 a remainder of them
    words = numpy.random.RandomState(seed % 2**32).randint(0, 2**32, 700, dtype=numpy.uint32)
    rand = torch.rand(700, generator=_generator(seed))
    assert numpy.array_equal(
        (words & 0xFFFFFF).astype(numpy.float32) * numpy.float32(2**-24), rand.numpy()
    )
    drawn = torch.empty(700, dtype=torch.int64).random_(0, 2**28 - 1, generator=_generator(seed))
    assert numpy.array_equal(words.astype(numpy.int64) % (2**28 - 1), drawn.numpy())
    row = {"seed": seed, "uint32": " ".join(f"{w:08x}" for w in words), "rand": _bits(rand)}
    row["uniform"] = [
        {"bound": b, "values": _bits(torch.empty(24).uniform_(-b, b, generator=_generator(seed)))}
        for b in BOUNDS
    ]
    row["randn_20"] = _bits(torch.randn(20, generator=_generator(seed)))
    row["randn_5"] = _bits(torch.randn(5, generator=_generator(seed)))
    row["randperm_12"] = torch.randperm(12, generator=_generator(seed)).tolist()
    generator = _generator(seed)
    a = _kaiming_init((3, 10), generator=generator)
    b = _kaiming_init((12, 3), generator=generator)
    row["vera"] = {"A": _bits(a), "A_shape": [3, 10], "B": _bits(b), "B_shape": [12, 3]}
    return row


def make(root: Path):
    about = {
        "values": "hexadecimal, 8 digits each: uint32 the raw words, all others the bits of float32",
        "uniform": "torch.empty(24).uniform_(-bound, bound): fma(rand, high - low, low) in float32, one "
        "rounding; product and sum rounded apart differ in the last bit for half of the values",
        "randn": "randn_5 takes another path than randn_20: from 16 values on, blocks of 16",
        "vera": "vera_A [r, in] and then vera_B [out, r] from one generator: uniform within "
        "sqrt(3) sqrt(2) / sqrt(fan_in), fan_in being the second size",
        "seeds": [_row(seed) for seed in SEEDS],
    }
    (root / "torch_random.json").write_text(json.dumps(about, indent=1) + "\n")
