"""The table of single-adapter cases: base, name, PEFT configuration, tags, remarks."""

from dataclasses import dataclass, field

from peft import (
    AdaLoraConfig,
    GloraConfig,
    IA3Config,
    LNTuningConfig,
    LoHaConfig,
    LoKrConfig,
    LoraConfig,
    TrainableTokensConfig,
    VeraConfig,
)

import golden_bases


@dataclass
class Case:
    """One adapter directory.

    config: makes the configuration (configurations are mutated by PEFT, so each use makes its own).
    adapter: its name in the model; anything but "default" is saved into a folder of that name.
    wrong: what Hugging Face does wrong here, in words, for index.json.
    merged: "same" as the unmerged model, "stored" (it differs, wrongly) or "fails" (PEFT refuses).
    reload: "same", "differs" or "fails": what PeftModel.from_pretrained makes of the directory.
    note: anything else a reader of the file must know.
    blind: trained tensors that provably do not reach the outputs.
    """

    base: str
    name: str
    config: object
    tags: list = field(default_factory=list)
    adapter: str = "default"
    wrong: str | None = None
    merged: str = "same"
    reload: str = "same"
    note: str | None = None
    tolerance: float = 5e-5
    blind: list = field(default_factory=list)

    @property
    def id(self):
        return f"{self.base}/{self.name}"


def lora(base, **settings):
    return lambda: LoraConfig(
        **{"r": 4, "lora_alpha": 8, "task_type": golden_bases.task_type(base), **settings}
    )


def adalora(base, **settings):
    schedule = dict(init_r=6, target_r=3, tinit=2, tfinal=3, deltaT=2, total_step=30, lora_alpha=12)
    return lambda: AdaLoraConfig(
        **{**schedule, "task_type": golden_bases.task_type(base), **settings}
    )


def vera(base, **settings):
    return lambda: VeraConfig(
        **{"r": 6, "d_initial": 0.1, "task_type": golden_bases.task_type(base), **settings}
    )


NAMES = {
    "bert": dict(q="query", k="key", v="value", up="intermediate.dense", layers=r"encoder.layer"),
    "llama": dict(q="q_proj", k="k_proj", v="v_proj", up="up_proj", layers="layers"),
    # one projection for q, k and v: other modules in their places
    "gpt2": dict(q="c_attn", k="mlp.c_proj", v="attn.c_proj", up="c_fc", layers="h"),
    "t5": dict(q="q", k="k", v="v", up="wi", layers="block"),
}
SHAPES = tuple(NAMES)
# what no shape of model changes: BERT and Llama are enough
SETTLED = {
    "adalora",
    "dora_dropout",
    "dora_patterns",
    "dora_pissa",
    "dora_rslora",
    "loha_patterns",
    "lora_dropout",
    "lora_exclude",
    "lora_init_gaussian",
    "lora_init_orthogonal",
    "lora_layers_pattern",
    "lora_named_0",
    "lora_r1",
    "lora_rank_order",
    "lora_rslora",
}
ORDER = (
    "rank_pattern and alpha_pattern are dictionaries whose first matching key wins; the file is \
written with sorted keys, so the order of the file, not of training, decides after loading. "
)
FLAT = "A is [r, in * kh * kw]"
SHIFTED = (
    "the base weight is replaced by W - s B0 A0 at wrapping, B0 A0 coming from W itself; the file \
holds the trained A and B only, so a reader repeats the decomposition"
)


def _case(
    base, name, tags="", reload="same", merged="same", note=None, wrong=None, blind=(), **settings
):
    """A LoRA case: r 4, alpha 8 unless settings say otherwise."""
    tolerance = 1e-4 if "shifted" in tags else 5e-5
    return Case(
        base,
        name,
        lora(base, **settings),
        ["lora", *tags.split()],
        reload=reload,
        merged=merged,
        note=note,
        wrong=wrong,
        blind=list(blind),
        tolerance=tolerance,
    )


def _lora_on(base):
    """The cases that all shapes of models share."""
    n = NAMES[base]
    q, v, up, layers = n["q"], n["v"], n["up"], n["layers"]

    def case(name, tags="", **settings):
        return _case(base, name, tags, **{"target_modules": [q, v], **settings})

    return [
        _case(base, "lora_default", note="target_modules from PEFT's table"),
        case("lora_all_linear", "all-linear", target_modules="all-linear"),
        case("lora_rslora", "rslora", use_rslora=True),
        case("lora_dropout", "dropout", lora_dropout=0.1),
        case("lora_r1", "rank", r=1, lora_alpha=3),
        _patterns(base, q, v, up, layers),
        case(
            "lora_rank_order",
            "patterns",
            rank_pattern={q: 6, rf"{layers}\.0\..*": 2},
            note=ORDER,
            reload="fails",
            wrong="the saved rank_pattern, sorted, names other ranks than the tensors have, and PEFT "
            "cannot load its own file. logits are the live model's: ranks as the tensors' shapes",
        ),
        case("lora_layers_to_transform", "layers", layers_to_transform=[1]),
        case(
            "lora_layers_pattern",
            "layers",
            layers_to_transform=0,
            layers_pattern=layers.rpartition(".")[2],
        ),
        case(
            "lora_exclude",
            "exclude",
            target_modules="all-linear",
            exclude_modules=[up, n["k"]],
        ),
        case("lora_exclude_regex", "exclude", exclude_modules=rf".*{layers}\.0\..*{v}"),
        case("lora_regex", "regex", target_modules=rf".*{layers}\.1\..*({q}|{up})"),
        case("lora_init_gaussian", "init", init_lora_weights="gaussian"),
        case("lora_init_orthogonal", "init", init_lora_weights="orthogonal"),
        case("lora_init_pissa", "init shifted", init_lora_weights="pissa", note=SHIFTED),
        *(
            [case("lora_init_olora", "init shifted", init_lora_weights="olora", note=SHIFTED)]
            if base != "gpt2"  # PEFT cannot: see golden_variants.refused
            else []
        ),
        Case(
            base,
            "lora_named_0",
            lora(base, target_modules=[q, v]),
            ["lora", "name"],
            adapter="0",
            note='saved from an adapter named "0": same keys as any other, one folder deeper',
        ),
    ]


def _patterns(base, q, v, up, layers):
    if base in ("bert", "gpt2"):
        return _case(
            base,
            "lora_patterns",
            "patterns",
            target_modules=[q, v, up],
            rank_pattern={q: 6, v: 3},
            alpha_pattern={f"(1|2).*{v}": 16, q: 10, v: 5},
            note=ORDER + "Here both orders agree.",
        )
    return _case(
        base,
        "lora_patterns",
        "patterns",
        target_modules=[q, v, up],
        rank_pattern={rf"{layers}\.0\..*{q}": 2, q: 6, v: 3},
        alpha_pattern={rf"{layers}\.1\..*": 16, v: 5, f"({q}|{up})": 10},
        reload="differs",
        note=ORDER + "The live model of this case had another order of alphas: see logits_live.",
        wrong="alpha_pattern is saved sorted, so the reloaded model scales some layers otherwise",
    )


def _biases():
    key = "base_model.model.bert.encoder.layer.{}.attention.self.key.bias"
    bert, llama = dict(target_modules=["query", "value"]), dict(target_modules=["q_proj", "v_proj"])
    return [
        _case(
            "bert",
            "lora_bias_all",
            "bias",
            bias="all",
            note="every bias of the model, targets' under .base_layer.bias, and the classifier's three "
            "times: classifier.bias, classifier.modules_to_save.bias, classifier.original_module.bias; "
            "a key bias never matters: softmax does not see what is added to a whole row",
            blind=[key.format(i) for i in (0, 1)],
            **bert,
        ),
        _case("bert", "lora_bias_only", "bias", bias="lora_only", **bert),
        _case("llama_bias", "lora_bias_all", "bias", bias="all", **llama),
        _case("llama_bias", "lora_bias_only", "bias", bias="lora_only", **llama),
        _case("bert", "lora_lora_bias", "lora_bias", lora_bias=True, **bert),
        _case(
            "llama_bias", "lora_lora_bias", "lora_bias", lora_bias=True, target_modules="all-linear"
        ),
        _case(
            "llama",
            "lora_lora_bias",
            "lora_bias",
            lora_bias=True,
            merged="fails",
            note="no bias in the base, so PEFT refuses to merge",
            **llama,
        ),
    ]


def _saved_modules():
    bert, llama = dict(target_modules=["query", "value"]), dict(target_modules=["q_proj", "v_proj"])
    tags = "modules_to_save"
    return [
        _case(
            "bert",
            "lora_save_pooler",
            tags,
            modules_to_save=["pooler"],
            note="PEFT adds classifier and score by itself for SEQ_CLS",
            **bert,
        ),
        _case("llama", "lora_save_lm_head", tags, modules_to_save=["lm_head"], **llama),
        _case("llama", "lora_save_embedding", tags, modules_to_save=["embed_tokens"], **llama),
        _case(
            "llama",
            "lora_save_norm",
            tags,
            modules_to_save=["norm"],
            note="names match by plain endswith: norm takes input_layernorm and "
            "post_attention_layernorm too",
            **llama,
        ),
    ]


def _embeddings():
    both = ["embed_tokens", "lm_head"]
    names = ["word_embeddings", "position_embeddings", "token_type_embeddings"]
    note = "with embed_tokens or lm_head among the targets, the file also holds the frozen \
base_layer.weight of each of the two that is wrapped"
    tied = "the embedding and the head share one tensor: merging into it changes both"

    def on_tied(name, wrong=tied, **settings):
        tags = "tied embedding"
        return _case("llama_tied", name, tags, wrong=wrong, merged="stored", **settings)

    return [
        _case("bert", "lora_embedding", "embedding", target_modules=["word_embeddings", "query"]),
        _case("bert", "lora_embedding_all", "embedding", target_modules=names),
        _case(
            "llama",
            "lora_embedding",
            "embedding",
            target_modules=["embed_tokens", "q_proj"],
            note=note,
        ),
        _case("llama", "lora_embedding_head", "embedding", target_modules=both, note=note),
        _case("llama", "lora_head", "embedding", target_modules=["lm_head", "v_proj"], note=note),
        _case("llama_tied", "lora_default", "tied"),
        _case(
            "llama_tied", "lora_save_lm_head", "tied modules_to_save", modules_to_save=["lm_head"]
        ),
        on_tied("lora_embedding", target_modules=["embed_tokens"]),
        on_tied("lora_head", target_modules=["lm_head"]),
        on_tied("lora_embedding_head", target_modules=both),
        on_tied(
            "lora_ensure_tying",
            wrong=tied + ", here twice by the same delta",
            target_modules=both,
            ensure_weight_tying=True,
        ),
    ]


def _custom():
    return [
        _case("conv", "lora_convs", "conv", target_modules=["conv1", "conv2", "head"]),
        _case(
            "conv",
            "lora_rslora",
            "conv rslora patterns",
            target_modules=["conv1", "conv2"],
            use_rslora=True,
            rank_pattern={"conv2": 2},
        ),
        _case("conv", "lora_lora_bias", "conv lora_bias", target_modules=["conv1"], lora_bias=True),
        _case(
            "conv",
            "lora_groups",
            "conv groups",
            target_modules=["conv3"],
            merged="fails",
            note="groups > 1: A is not grouped, B is [out, r / groups, 1, 1]; PEFT refuses to merge",
        ),
        _case("conv1d", "lora_convs", "conv", target_modules=["conv1", "conv2", "head"]),
        _case("mlp", "lora_all", "embedding", target_modules=["embedding", "hidden", "head"]),
        _case(
            "mlp",
            "lora_save_head",
            "embedding modules_to_save",
            target_modules=["embedding", "hidden"],
            modules_to_save=["head"],
        ),
    ]


def _lora():
    return [
        *_lora_on("bert"),
        *_lora_on("llama"),
        *_lora_on("gpt2"),
        *_lora_on("t5"),
        _case("bert_plain", "lora_default"),
        _case("bert_plain", "lora_all_linear", "all-linear", target_modules="all-linear"),
        _case(
            "bert_plain",
            "lora_no_task",
            "auto_mapping",
            target_modules=["query", "value"],
            task_type=None,
        ),
        *_biases(),
        *_saved_modules(),
        *_embeddings(),
        *_custom(),
    ]


def _adalora():
    cases = []
    for base in SHAPES:
        n = NAMES[base]
        three = adalora(base, target_modules=[n["q"], n["v"], n["up"]])
        cases += [
            Case(base, "adalora", three, ["adalora"]),
            Case(
                base,
                "adalora_default",
                adalora(base),
                ["adalora"],
                note="target_modules from PEFT's table",
            ),
        ]
    conv = adalora("conv", target_modules=["conv1", "head"])
    return [*cases, Case("conv", "adalora_conv", conv, ["adalora", "conv"], note=FLAT)]


def _vera():
    every = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    rebuilt = "vera_A and vera_B are not in the file; see reference.safetensors"
    shared = "one vera_A [r, max in] and vera_B [max out, r] for all layers, sliced from the start"

    def case(base, name, targets, tags="", note=None, **settings):
        config = vera(base, target_modules=targets, **settings)
        return Case(base, name, config, ["vera", *tags.split()], note=note)

    bert, t5 = ["query", "value"], ["q", "v", "wi"]
    key = dict(projection_prng_key=1234567)
    unsaved = dict(save_projection=False)
    return [
        case("bert", "vera", bert),
        case("bert", "vera_prng", bert, "prng", rebuilt, **unsaved),
        case("bert", "vera_bias", bert, "bias", bias="vera_only"),
        case("llama", "vera_qv", ["q_proj", "v_proj"], note=shared),
        case("llama", "vera", every, note=shared, **key),
        case("llama", "vera_prng", every, "prng", f"{shared}; {rebuilt}", r=20, **key, **unsaved),
        case("gpt2", "vera", ["c_attn", "c_fc"], note=shared),
        case("gpt2", "vera_prng", ["c_attn"], "prng", rebuilt, **unsaved),
        case("gpt2", "vera_bias", ["c_attn"], "bias", bias="vera_only"),
        case("t5", "vera", t5, note=shared, **key),
        case("t5", "vera_prng", t5, "prng", rebuilt, **unsaved),
    ]


def _dora():
    def case(base, name, targets, tags="", **settings):
        return _case(
            base, name, f"dora {tags}", use_dora=True, target_modules=targets, **settings
        )

    cases = []
    for base in SHAPES:
        n = NAMES[base]
        q, v, up = n["q"], n["v"], n["up"]
        cases += [
            case(base, "dora", [q, v]),
            case(base, "dora_rslora", "all-linear", "rslora", use_rslora=True),
            case(
                base,
                "dora_patterns",
                [q, v, up],
                "patterns",
                rank_pattern={q: 6, v: 3},
                alpha_pattern={q: 10, v: 5},
            ),
            case(
                base,
                "dora_rslora_patterns",
                [q, v, up],
                "rslora patterns",
                use_rslora=True,
                rank_pattern={q: 6, v: 3},
                alpha_pattern={q: 10, v: 5},
            ),
            case(base, "dora_dropout", [q, v], "dropout", lora_dropout=0.1),
            case(base, "dora_pissa", [q, v], "init shifted", init_lora_weights="pissa"),
        ]
    return [
        *cases,
        case("llama_bias", "dora", "all-linear"),
        case("bert", "dora_embedding", ["word_embeddings", "query"], "embedding"),
        case("conv", "dora_convs", ["conv1", "conv2", "head"], "conv"),
        case("conv1d", "dora_convs", ["conv1", "conv2", "head"], "conv"),
    ]


def _others():
    """LoHa, LoKr, GLoRA, tuned normalisations."""

    def case(base, name, kind, targets, tags="", **settings):
        task = golden_bases.task_type(base)
        common = {"task_type": task, "target_modules": targets}

        def config():
            return kind(**{**common, **settings})

        return Case(base, name, config, [name.partition("_")[0], *tags.split()])

    convs = ["conv1", "conv2", "head"]
    low = dict(r=3, alpha=5)
    cases = []
    for base in SHAPES:
        n = NAMES[base]
        q, v, up = n["q"], n["v"], n["up"]
        cases += [
            case(base, "ia3", IA3Config, [n["k"], v, up], feedforward_modules=[up]),
            case(base, "ia3_outputs", IA3Config, [v, up], feedforward_modules=[]),
            case(base, "ia3_default", IA3Config, None),
        ]
        if base == "gpt2":  # PEFT has the others for linear layers only: see golden_variants
            continue
        cases += [
            case(base, "loha", LoHaConfig, [q, v], **low),
            case(base, "loha_patterns", LoHaConfig, [q, up], **low, rank_pattern={q: 2}),
            case(base, "lokr", LoKrConfig, [q, up], **low),
            case(base, "lokr_both", LoKrConfig, [q, up], r=1, alpha=3, decompose_both=True),
            case(base, "lokr_factor", LoKrConfig, [v, up], r=2, alpha=5, decompose_factor=4),
            case(base, "lokr_whole", LoKrConfig, [v, up], r=32, alpha=5),
            case(base, "glora", GloraConfig, [q, v], r=3),
            case(
                base,
                "glora_vectors",
                GloraConfig,
                [q, up],
                config_A_B="vector",
                config_C="vector",
                config_D_E="vector",
            ),
            case(
                base,
                "glora_numbers",
                GloraConfig,
                [v],
                config_A_B="constant",
                config_C="none",
                config_D_E="none",
            ),
        ]
    return [
        *cases,
        case("llama_bias", "glora", GloraConfig, ["q_proj", "v_proj"], r=3),
        case("bert", "ln_tuning", LNTuningConfig, ["LayerNorm"]),
        case("llama", "ln_tuning", LNTuningConfig, ["input_layernorm", "norm"]),
        case("gpt2", "ln_tuning", LNTuningConfig, None),
        case("t5", "ln_tuning", LNTuningConfig, None),
        case("conv", "ia3_convs", IA3Config, convs, "conv", feedforward_modules=["conv2"]),
        case("conv", "loha_convs", LoHaConfig, convs, "conv", r=2, alpha=60),
        case(
            "conv", "loha_core", LoHaConfig, convs, "conv", r=2, alpha=60, use_effective_conv2d=True
        ),
        case("conv", "lokr_convs", LoKrConfig, convs, "conv", r=1, alpha=60),
        case(
            "conv", "lokr_core", LoKrConfig, convs, "conv", r=1, alpha=60, use_effective_conv2d=True
        ),
    ]


def _tokens():
    """Rows of the embeddings, and of a tied head with them."""
    tied = "lm_head.trainable_tokens_delta is a copy of the embeddings': one tensor in the model"

    def case(base, name, tokens, tags="", note=None, **settings):
        def config():
            return TrainableTokensConfig(
                task_type=golden_bases.task_type(base), token_indices=tokens, **settings
            )

        return Case(base, name, config, ["tokens", *tags.split()], note=note)

    def beside(base, name, tokens, tags="", note=None):
        targets = ["q_proj", "v_proj"]
        tags = f"tokens {tags}"
        settings = dict(target_modules=targets, trainable_token_indices=tokens)
        return _case(base, name, tags, note=note, **settings)

    both = ["embed_tokens", "lm_head"]
    lead = "the tied head follows, and is not in the file"
    return [
        case("bert", "tokens", [36, 14, 31, 7, 3, 49, 63, 30]),
        case("llama", "tokens", [63, 5, 18, 41, 7]),
        case("llama", "tokens_head", [63, 5, 18], "head", target_modules=both),
        case("llama_tied", "tokens", [12, 5, 33], "tied", note=tied),
        beside("llama", "lora_tokens", [63, 5, 18]),
        beside("llama", "lora_tokens_head", {"embed_tokens": [63, 5], "lm_head": [7, 63, 9]}, "head"),
        beside("llama_tied", "lora_tokens", [12, 5, 33], "tied", lead),
        beside("llama_tied", "lora_tokens_head", dict.fromkeys(both, [12, 5]), "tied head", lead),
        case("gpt2", "tokens", [11, 6, 23, 63], "tied", note=tied),
        case(
            "t5",
            "tokens",
            [15, 9, 22, 63],
            "tied",
            note=tied + "; so are encoder.embed_tokens and decoder.embed_tokens",
        ),
        case("mlp", "tokens", [14, 5, 7, 15, 12, 6], target_modules=["embedding"]),
    ]


def all_cases():
    cases = [*_lora(), *_adalora(), *_vera(), *_dora(), *_others(), *_tokens()]
    return [c for c in cases if c.base not in ("gpt2", "t5") or c.name not in SETTLED]
