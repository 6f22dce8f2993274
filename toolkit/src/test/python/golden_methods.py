#!/usr/bin/env python3
"""Makes toolkit/src/test/resources/golden/methods: adapters of the methods beyond golden_cases.py.

They stand on the bases of golden/hf, which golden.py makes; the index has the same form. Versions, and
how to get them: see golden.py. How to run, from anywhere, without network, in a minute:
    venv/bin/python toolkit/src/test/python/golden_methods.py [word ...]
With words only the cases whose names contain one of them are made anew, beside the others.
"""

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
HF = HERE.parent / "resources" / "golden" / "hf"
TARGET = HF.with_name("methods")

if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes target_modules in the order of a set
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
os.environ.update(
    HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false"
)
sys.dont_write_bytecode = True

import numpy  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from peft import (  # noqa: E402
    AdamssConfig,
    BeftConfig,
    BOFTConfig,
    C3AConfig,
    DeftConfig,
    DeloraConfig,
    FourierFTConfig,
    FrodConfig,
    GraloraConfig,
    HiraConfig,
    HRAConfig,
    LilyConfig,
    LoraConfig,
    MissConfig,
    OFTConfig,
    OSFConfig,
    PeanutConfig,
    PolyConfig,
    PsoftConfig,
    PveraConfig,
    RandLoraConfig,
    RoadConfig,
    ShiraConfig,
    SupertuningConfig,
    TinyLoraConfig,
    UniLoraConfig,
    VBLoRAConfig,
    WaveFTConfig,
)

from peft.tuners.lora.config import BdLoraConfig, KasaConfig, MontecloraConfig, VeloraConfig  # noqa: E402
import peft.tuners.boft.layer as boft  # noqa: E402
from peft.tuners.unilora.model import UniLoraModel  # noqa: E402

import golden_adapters  # noqa: E402
import golden_bases  # noqa: E402
import golden_kmeans  # noqa: E402
from golden_cases import NAMES, SHAPES, Case  # noqa: E402


CALLED = dict(r=4, merged="fails", note="acts in some tokens only")
TASK = "the i-th text is of task i, modulo their number; PEFT does not merge mixtures"
BATCH = "depends on the batch, so PEFT does not merge it"
NO_BIAS = "no bias in the base, so PEFT refuses to merge"


def case(base, name, kind, targets, tags="", **settings):
    remarks = {k: settings.pop(k) for k in ("note", "merged", "reload", "blind") if k in settings}
    task = golden_bases.task_type(base)

    def config():
        some = targets if isinstance(targets, str) else list(targets)
        return kind(task_type=task, target_modules=some, **settings)

    return Case(base, name, config, [name.partition("_")[0], *tags.split()], **remarks)


def linear(name, kind, tags="", **settings):
    """On every shape of model; GPT-2 has its head as the only linear layer."""
    cases = []
    for base in SHAPES:
        n = NAMES[base]
        head = base == "gpt2"
        targets = ["lm_head"] if head else [n["q"], n["up"]]
        cases.append(case("gpt2_untied" if head else base, name, kind, targets, tags, **settings))
    return cases


def anywhere(name, kind, tags="", **settings):
    """On every shape of model, transposed layers included."""
    cases = []
    for base in SHAPES:
        n = NAMES[base]
        cases.append(case(base, name, kind, [n["q"], n["up"]], tags, **settings))
    return cases


def some(name, kind, tags="", **settings):
    """A variant, on one shape."""
    return [case("llama", name, kind, ["q_proj", "up_proj"], tags, **settings)]


def convs(name, kind, targets=("conv1", "conv2", "head"), **settings):
    return [case("conv", name, kind, targets, "conv", **settings)]


def all_cases():
    return [
        *linear("kasa", LoraConfig, r=4, lora_alpha=6, kasa_config=KasaConfig()),
        *some("kasa_weights", LoraConfig, r=3, lora_dropout=0.1, kasa_config=KasaConfig(beta=0.01, gamma=0.0)),
        *linear(
            "bdlora",
            LoraConfig,
            r=4,
            use_bdlora=BdLoraConfig(["up", "dense", "wi"], ["q", "lm_head"], nblocks=2),
        ),
        *some(
            "bdlora_some",
            LoraConfig,
            r=4,
            use_bdlora=BdLoraConfig(None, ["q_proj"], nblocks=4, match_strict=False),
        ),
        *anywhere("velora", LoraConfig, r=4, velora_config=VeloraConfig(num_groups=5)),
        *some(
            "velora_random",
            LoraConfig,
            r=3,
            lora_dropout=0.1,
            velora_config=VeloraConfig(num_groups=64, scale=0.5, init_type="random"),
        ),
        *anywhere(
            "monteclora",
            LoraConfig,
            r=3,
            lora_alpha=5,
            monteclora_config=MontecloraConfig(num_samples=3, use_entropy=True, buffer_size=2),
        ),
        # PEFT looks for the tokens in causal language models alone
        case("llama", "alora", LoraConfig, ["q_proj", "up_proj"], alora_invocation_tokens=[63], **CALLED),
        case("llama", "alora_two", LoraConfig, ["v_proj", "down_proj"], alora_invocation_tokens=[54, 60], **CALLED),
        case("gpt2", "alora", LoraConfig, ["c_attn", "c_fc"], alora_invocation_tokens=[42], **CALLED),
        case("llama", "lora_parameters", LoraConfig, [], r=3, target_parameters=["q_proj.weight", "1.mlp.up_proj.weight"]),
        *anywhere("mica", LoraConfig, r=4, lora_alpha=6, init_lora_weights="mica"),
        case("mlp", "mica_embedding", LoraConfig, ["embedding", "hidden"], r=3, init_lora_weights="mica"),
        *linear("oft", OFTConfig, oft_block_size=8),
        *some("oft_exact", OFTConfig, oft_block_size=8, use_cayley_neumann=False),
        *some("oft_blocks", OFTConfig, r=4, oft_block_size=0, num_cayley_neumann_terms=7),
        *some("oft_nearest", OFTConfig, oft_block_size=7, block_share=True),
        *some("oft_terms", OFTConfig, oft_block_size=4, num_cayley_neumann_terms=3),
        *some("oft_constrained", OFTConfig, oft_block_size=8, coft=True, eps=0.9),
        *linear("boft", BOFTConfig, boft_block_size=4),
        *some("boft_blocks", BOFTConfig, boft_block_size=0, boft_block_num=4),
        case(
            "llama",
            "boft_butterfly",
            BOFTConfig,
            ["q_proj", "up_proj"],
            boft_block_size=4,
            boft_n_butterfly_factor=3,
            note="PEFT runs it with a CUDA kernel only",
        ),
        *linear("hra", HRAConfig, r=4),
        *some("hra_orthogonal", HRAConfig, r=3, apply_GS=True),
        *anywhere("fourierft", FourierFTConfig, n_frequency=60),
        *some(
            "fourierft_pattern",
            FourierFTConfig,
            n_frequency=40,
            n_frequency_pattern={"up_proj": 90},
            random_loc_seed=5,
            scaling=99.0,
        ),
        *anywhere("waveft", WaveFTConfig, n_frequency=60),
        *some("waveft_plain", WaveFTConfig, n_frequency=40, use_idwt=False, random_loc_seed=5),
        case("mlp", "waveft_odd", WaveFTConfig, ["head"], n_frequency=60),
        *anywhere("hira", HiraConfig, r=3),
        *some(
            "hira_pattern",
            HiraConfig,
            r=3,
            rank_pattern={"q_proj": 5},
            hira_dropout=0.1,
            note="PEFT does not follow the pattern that it writes",
        ),
        case("mlp", "hira_embedding", HiraConfig, ["embedding", "hidden"], r=3),
        *linear("miss", MissConfig, r=4),
        *some("miss_ragged", MissConfig, r=5),
        *some("miss_bat", MissConfig, r=4, init_weights="bat"),
        *some("miss_mini", MissConfig, r=4, mini_r=8, init_weights="mini"),
        *linear("shira", ShiraConfig, r=2),
        *some("shira_seed", ShiraConfig, r=3, random_seed=42),
        *linear("c3a", C3AConfig, block_size=8),
        *some("c3a_pattern", C3AConfig, block_size=4, block_size_pattern={"up_proj": 16}),
        *anywhere("vblora", VBLoRAConfig, r=2, num_vectors=9, vector_length=8),
        *linear("road", RoadConfig, group_size=8),
        *some("road_2", RoadConfig, variant="road_2", group_size=16),
        *some("road_4", RoadConfig, variant="road_4", group_size=4),
        *linear("delora", DeloraConfig, r=3),
        *some("delora_patterns", DeloraConfig, r=3, rank_pattern={"q_proj": 2}, lambda_pattern={"up_proj": 7.0}),
        *anywhere("gralora", GraloraConfig, r=4),
        *some("gralora_hybrid", GraloraConfig, r=8, hybrid_r=3, gralora_k=4, alpha=5),
        *anywhere("pvera", PveraConfig, r=6),
        *some("pvera_prng", PveraConfig, r=5, projection_prng_key=31, save_projection=False),
        *anywhere("randlora", RandLoraConfig, r=8, randlora_alpha=4),
        *some(
            "randlora_prng", RandLoraConfig, r=5, randlora_alpha=4, save_projection=False, projection_prng_key=9
        ),
        *some(
            "randlora_sparse", RandLoraConfig, r=8, randlora_alpha=4, save_projection=False, sparse=True
        ),
        *some(
            "randlora_very_sparse", RandLoraConfig, r=8, randlora_alpha=4, save_projection=False, very_sparse=True
        ),
        case("bert", "beft", BeftConfig, ["value", "intermediate.dense"]),
        case("llama", "beft", BeftConfig, ["v_proj"], merged="fails", note=NO_BIAS),
        case("gpt2_untied", "beft", BeftConfig, ["lm_head"], merged="fails", note=NO_BIAS),
        case("t5", "beft", BeftConfig, ["v"], merged="fails", note=NO_BIAS),
        *linear("supertuning", SupertuningConfig, sparsity=0.9),
        *some(
            "supertuning_lora",
            SupertuningConfig,
            sparsity=0.9,
            select_top=False,
            r=3,
            lora_alpha=5.0,
            save_precomputed_indices=False,
        ),
        *anywhere("deft", DeftConfig, r=3),
        *some("deft_orthonormal", DeftConfig, r=3, decomposition_method="qr", alpha=5),
        *some("deft_removing", DeftConfig, r=3, para=True),
        *linear("peanut", PeanutConfig, r=4),
        *some("peanut_deep", PeanutConfig, r=4, depth=2, act_fn="silu", scaling=0.5),
        *linear("osf", OSFConfig),
        *some("osf_patterns", OSFConfig, effective_rank=8, rank_pattern={"q_proj": 0.9}),
        *linear("psoft", PsoftConfig, r=6, psoft_alpha=3),
        *some("psoft_pissa", PsoftConfig, r=6, psoft_alpha=3, ab_svd_init="pissa_init", psoft_orth=False),
        *some(
            "psoft_series",
            PsoftConfig,
            r=6,
            psoft_mag_b=False,
            use_cayley_neumann=True,
            cayley_neumann_eps=0.7,
        ),
        *linear("poly", PolyConfig, r=3, merged="fails", note=TASK),
        *some("poly_tasks", PolyConfig, r=3, n_tasks=3, n_skills=3, n_splits=4, merged="fails", note=TASK),
        *linear("lily", LilyConfig, r=4, stride_A=2, num_B=3, merged="fails", note=BATCH),
        *some("lily_own", LilyConfig, r=3, num_B=2, scaling=0.5, merged="fails", note=BATCH),
        case(
            "llama",
            "lily_paths",
            LilyConfig,
            ["self_attn.q_proj", "o_proj", "layers.0.mlp.up_proj", "layers.1.mlp.up_proj"],
            r=3,
            stride_A=2,
            merged="fails",
            note=BATCH,
        ),
        case("llama", "lily_pattern", LilyConfig, r".*\.(q|o)_proj", r=3, stride_A=3, merged="fails", note=BATCH),
        *anywhere("frod", FrodConfig),
        *some("frod_dense", FrodConfig, sparse_rate=0.2, regularization_alpha=0.05),
        *linear("adamss", AdamssConfig, r=8, num_subspaces=3),
        *some(
            "adamss_ranks",
            AdamssConfig,
            r=12,
            num_subspaces=5,
            subspace_rank=3,
            use_dynamic_rank=True,
            svd_threshold=0.5,
            random_seed=7,
        ),
        *some("adamss_asa", AdamssConfig, r=6, num_subspaces=4, use_asa=True, asa_target_subspaces=9),
        *anywhere("unilora", UniLoraConfig, r=2, theta_d_length=150),
        *some("unilora_few", UniLoraConfig, r=3, theta_d_length=2000, proj_seed=5),
        *anywhere("tinylora", TinyLoraConfig, r=2, u=20),
        *some("tinylora_tied", TinyLoraConfig, r=3, u=20, weight_tying=0.5, save_projection=False),
        *convs("hra_convs", HRAConfig, r=4),
        *convs("boft_convs", BOFTConfig, boft_block_size=2),
    ]


def numpy_random():
    """What numpy.random.default_rng draws: bits, a shuffle, both kinds of choice, and UniLoRA's mixture."""
    rows = []
    for seed in (0, 1, 42, 2**32 - 1):

        def new(seed=seed):
            return numpy.random.default_rng(seed)

        order = numpy.arange(20)
        new().shuffle(order)
        rows.append(
            {
                "seed": seed,
                "uint64": [f"{b:016x}" for b in new().bit_generator.random_raw(6)],
                "shuffle_20": order.tolist(),
                "choice_7_of_50": new().choice(50, size=7, replace=False).tolist(),
                "choice_300_of_10007": new().choice(10007, size=300, replace=False)[:12].tolist(),
                "unilora_37_of_11": UniLoraModel.generate_index(37, 11, seed).tolist(),
            }
        )
    return rows


class BlockDiagonal:
    """What PEFT has a CUDA kernel for."""

    @staticmethod
    def apply(blocks):
        return torch.stack([torch.block_diag(*m) for m in blocks])


def without_cuda():
    """Butterfly factors beyond the first, which PEFT refuses where its kernel cannot be built."""
    boft.get_fbd_cuda = lambda: True
    boft.FastBlockDiag = BlockDiagonal


def main():
    words = sys.argv[1:]
    warnings.filterwarnings("ignore")
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    without_cuda()
    golden_kmeans.install()
    fresh = TARGET.with_name("methods.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    (fresh / "base").symlink_to(HF / "base")
    index = TARGET / "index.json"
    known = {r["id"]: r for r in json.loads(index.read_text())["cases"]} if index.exists() else {}
    rows, problems = [], []
    for c in all_cases():
        if words and c.id in known and not any(w in c.name for w in words):
            rows.append(known[c.id])
            shutil.copytree(TARGET / "adapters" / c.id, fresh / "adapters" / c.id)
            continue
        row, said = golden_adapters.make(c, fresh)
        rows.append(row)
        problems += said
    if problems:
        sys.exit("golden_methods.py: surprises, nothing replaced\n" + "\n".join(problems))
    (fresh / "base").unlink()
    (fresh / "numpy_random.json").write_text(json.dumps({"seeds": numpy_random()}, indent=1) + "\n")
    (fresh / "index.json").write_text(json.dumps({"cases": rows}, indent=1) + "\n")
    files = [f for f in fresh.rglob("*") if f.is_file()]
    for f in files:
        f.chmod(0o644)
    shutil.rmtree(TARGET, ignore_errors=True)
    fresh.rename(TARGET)
    size = sum((TARGET / f.relative_to(fresh)).stat().st_size for f in files)
    print(f"{len(rows)} cases, {len(files)} files, {size / 1e6:.2f} MB in {TARGET}")


if __name__ == "__main__":
    main()
