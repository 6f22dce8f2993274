#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/blocks.safetensors: matrices, and what ONNX Runtime's own
quantiser for MatMulNBits makes of them.

Versions: onnxruntime 1.30.0, onnx 1.23.1, safetensors 0.8.0, numpy 2.4, Python 3.11
How to get them:
    python3 -m venv venv
    venv/bin/pip install onnxruntime==1.30.0 onnx safetensors numpy
How to run, from anywhere, without network, in a few seconds:
    venv/bin/python toolkit/src/test/python/golden_blocks.py

For a case "4b_32_sym_9x80" (bits, block size, symmetric or with zero points, outputs x inputs) there are
"<case>.weight" float32 [N, K], "<case>.codes" uint8 [N, blocks, bytes], "<case>.scales" float32 [N, blocks] and,
unless symmetric, "<case>.zero_points" uint8 [N, bytes].
"""

import logging
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    MatMulNBitsQuantizer,
)
from safetensors.numpy import save_file

TARGET = Path(__file__).resolve().parent.parent / "resources" / "golden" / "blocks.safetensors"
# block size: shapes N x K with whole blocks, an odd number of blocks, a last block that is not full. K is even: of
# an odd one the quantiser leaves the unused half of a last byte as the code before it was
SHAPES = {16: [(5, 64), (3, 40)], 32: [(9, 80), (4, 96)], 64: [(3, 200)], 128: [(2, 300)], 256: [(2, 260)]}


def matrix(name, n, k):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    weight = random.normal(size=(n, k)).astype(np.float32)
    weight[0, :] = np.abs(weight[0, :])  # a row on one side of 0
    weight[1, : k // 2] = 0  # blocks of nothing
    weight[n - 1, :] = np.float32(0.5) * np.round(weight[n - 1, :])  # ties between codes and between +max and -max
    return weight


def quantised(weight, bits, block, symmetric):
    n, k = weight.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", k])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", n])],
        [numpy_helper.from_array(np.ascontiguousarray(weight.T), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    config = DefaultWeightOnlyQuantConfig(block_size=block, is_symmetric=symmetric, accuracy_level=4, bits=bits)
    quantizer = MatMulNBitsQuantizer(model, algo_config=config)
    quantizer.process()
    made = quantizer.model.model
    (node,) = [x for x in made.graph.node if x.op_type == "MatMulNBits"]
    stored = {x.name: numpy_helper.to_array(x) for x in made.graph.initializer}
    values = [stored[name] for name in node.input[1:] if name]
    blocks = -(-k // block)
    out = {
        "codes": values[0].reshape(n, blocks, block * bits // 8),
        "scales": values[1].reshape(n, blocks),
    }
    if not symmetric:
        out["zero_points"] = values[2].reshape(n, -1)
    return out


def main():
    logging.disable(logging.INFO)
    tensors = {}
    for bits in (4, 8):
        for block, shapes in SHAPES.items():
            for symmetric in (True, False):
                for n, k in shapes:
                    name = f"{bits}b_{block}_{'sym' if symmetric else 'zp'}_{n}x{k}"
                    weight = matrix(name, n, k)
                    tensors[name + ".weight"] = weight
                    for part, value in quantised(weight, bits, block, symmetric).items():
                        tensors[f"{name}.{part}"] = np.ascontiguousarray(value)
    save_file(tensors, TARGET, metadata={"made_by": "golden_blocks.py"})
    print(len(tensors), "tensors,", TARGET.stat().st_size, "bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
