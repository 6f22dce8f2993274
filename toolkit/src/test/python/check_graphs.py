#!/usr/bin/env python3
"""Runs onnx.checker, full, on every graph below a directory and writes a report.

    ./mvnw -pl toolkit test -Dtest='CausalGraphTest,WholeGraphTest,Seq2SeqGraphsTest' -Dpeft4j.graphs=/tmp/graphs
    venv/bin/python toolkit/src/test/python/check_graphs.py /tmp/graphs --report docs/onnx-checker.md

onnx knows the operators of its own domain. ONNX Runtime adds one to that domain,
SimplifiedLayerNormalization, which is declared here as the runtime declares it; operators of the
domain com.microsoft are not checked by onnx. Exit status 1 if a graph fails. Needs onnx >= 1.17.
"""

import argparse
import collections
import datetime
import sys
from pathlib import Path

import onnx
from onnx.defs import OpSchema


def declare_runtime_operators():
    floats = ["tensor(float16)", "tensor(float)", "tensor(double)", "tensor(bfloat16)"]
    formal = OpSchema.FormalParameter
    onnx.defs.register_schema(
        OpSchema(
            "SimplifiedLayerNormalization",
            "",
            1,
            inputs=[formal("X", "T"), formal("scale", "V")],
            outputs=[
                formal("Y", "V"),
                formal("inv_std_var", "U", param_option=OpSchema.FormalParameterOption.Optional),
            ],
            type_constraints=[("T", floats, ""), ("U", ["tensor(float)", "tensor(double)"], ""), ("V", floats, "")],
            attributes=[
                OpSchema.Attribute("axis", OpSchema.AttrType.INT),
                OpSchema.Attribute("epsilon", OpSchema.AttrType.FLOAT),
                OpSchema.Attribute("stash_type", OpSchema.AttrType.INT),
            ],
        )
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--report", type=Path)
    args = parser.parse_args()
    declare_runtime_operators()
    rows, failed = [], 0
    for file in sorted(args.directory.rglob("*.onnx")):
        name = str(file.relative_to(args.directory))
        model = onnx.load(file, load_external_data=False)
        operators = collections.Counter(
            (n.domain + "." if n.domain else "") + n.op_type for n in model.graph.node
        )
        own = sum(c for n, c in operators.items() if "." in n or n == "SimplifiedLayerNormalization")
        opset = next(o.version for o in model.opset_import if not o.domain)
        try:
            onnx.checker.check_model(str(file), full_check=True)
            verdict = "ok"
        except Exception as e:  # the checker's own exceptions have no common class
            verdict = "FAILED: " + str(e).splitlines()[0]
            failed += 1
        rows.append(f"| {name} | {sum(operators.values())} | {own} | {opset} | {model.ir_version} | {verdict} |")
    if not rows:
        sys.exit(f"{args.directory}: no graphs")
    text = (
        f"# onnx.checker on the graphs of the tests\n\n"
        f"{len(rows)} graphs, {failed} failed; onnx {onnx.__version__}, {datetime.date.today()}; "
        f"made by `toolkit/src/test/python/check_graphs.py`, which says how.\n\n"
        "| graph | nodes | ONNX Runtime's own | opset | IR | full check |\n|---|---:|---:|---:|---:|---|\n"
        + "\n".join(rows)
        + "\n"
    )
    if args.report:
        args.report.write_text(text)
    print(text if failed else f"{len(rows)} graphs, all ok")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
