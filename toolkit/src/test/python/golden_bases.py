"""The tiny models that every golden adapter sits on, their inputs, and how to load and run them."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.pytorch_utils import Conv1D

VOCABULARY = 64
BERT = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=48,
    max_position_embeddings=40,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    pad_token_id=0,
)
LLAMA = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=48,
    max_position_embeddings=64,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
GPT2 = dict(
    vocab_size=VOCABULARY,
    n_embd=24,
    n_inner=40,
    n_layer=2,
    n_head=4,
    n_positions=32,
    resid_pdrop=0.0,
    embd_pdrop=0.0,
    attn_pdrop=0.0,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
T5 = dict(
    vocab_size=VOCABULARY,
    d_model=32,
    d_kv=6,
    d_ff=40,
    num_layers=2,
    num_decoder_layers=2,
    num_heads=4,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=12,
    dropout_rate=0.0,
    pad_token_id=0,
    eos_token_id=1,
    decoder_start_token_id=0,
)


class ConvNet(nn.Module):
    """Input [n, 2, 9, 9]; conv1, conv2 and conv3 with ReLU between, mean over the pixels, head."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 6, kernel_size=3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(6, 8, kernel_size=1, bias=False)
        self.conv3 = nn.Conv2d(8, 8, kernel_size=3, padding=1, groups=2)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = torch.relu(self.conv3(x))
        return self.head(x.mean(dim=(2, 3)))


class Conv1dNet(nn.Module):
    """Input [n, 3, 12]; conv1 and conv2 with ReLU after each, mean over time, head."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(3, 8, kernel_size=5, stride=2, padding=2)
        self.conv2 = nn.Conv1d(8, 8, kernel_size=2)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        return self.head(x.mean(dim=2))


class EmbeddingMlp(nn.Module):
    """Input ids [n, t]; embedding, mean over t, hidden with tanh, head."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.hidden = nn.Linear(16, 24)
        self.head = nn.Linear(24, 5)

    def forward(self, ids):
        return self.head(torch.tanh(self.hidden(self.embedding(ids).mean(dim=1))))


CUSTOM = {"conv": ConvNet, "conv1d": Conv1dNet, "mlp": EmbeddingMlp}
TRANSFORMERS = {
    "bert": (BertForSequenceClassification, BertConfig, {**BERT, "num_labels": 3}),
    "bert_plain": (BertModel, BertConfig, BERT),
    "llama": (LlamaForCausalLM, LlamaConfig, {**LLAMA, "tie_word_embeddings": False}),
    "llama_tied": (LlamaForCausalLM, LlamaConfig, {**LLAMA, "tie_word_embeddings": True}),
    "llama_bias": (
        LlamaForCausalLM,
        LlamaConfig,
        {**LLAMA, "tie_word_embeddings": False, "attention_bias": True, "mlp_bias": True},
    ),
    "gpt2": (GPT2LMHeadModel, GPT2Config, GPT2),
    "gpt2_untied": (GPT2LMHeadModel, GPT2Config, {**GPT2, "tie_word_embeddings": False}),
    "t5": (T5ForConditionalGeneration, T5Config, T5),
    "t5_gated": (
        T5ForConditionalGeneration,
        T5Config,
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
}
# a base's place seeds its weights: new ones go to the end
NAMES = ["bert", "bert_plain", "llama", "llama_tied", "llama_bias", *CUSTOM]
NAMES += [n for n in TRANSFORMERS if n not in NAMES]
CAUSAL = ("llama", "gpt2")


def outputs_of(base):
    return ["last_hidden_state", "pooler_output"] if base == "bert_plain" else ["logits"]


def task_type(base):
    """What a user of this base states in the configuration; None for models of one's own."""
    if base in CUSTOM:
        return None
    if base.startswith("t5"):
        return "SEQ_2_SEQ_LM"
    return {"bert": "SEQ_CLS", "bert_plain": "FEATURE_EXTRACTION"}.get(base, "CAUSAL_LM")


def _randomise(model):
    """Weights with output variance near 1 and nothing neutral: norms off 1, every bias off 0."""
    with torch.no_grad():
        for module in model.modules():
            for name, p in module.named_parameters(recurse=False):
                if name == "bias":
                    p.copy_(0.2 * torch.randn_like(p))
                elif isinstance(module, nn.Embedding):
                    p.copy_(0.7 * torch.randn_like(p))
                elif p.dim() == 1:
                    p.copy_(1 + 0.2 * torch.randn_like(p))
                else:
                    fan_in = p.shape[0] if isinstance(module, Conv1D) else p[0].numel()
                    p.copy_(torch.randn_like(p) * 1.2 / fan_in**0.5)


def _finish_t5(model, tied):
    """This version of transformers ties the head whatever a configuration says, and gives the stacks
    tables of their own."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith(".q.weight"):
                p.mul_(0.35)  # in place of 1 / sqrt(d_kv), which T5 leaves out
    table = model.shared.weight
    model.encoder.embed_tokens.weight = model.decoder.embed_tokens.weight = table
    own = nn.Parameter(torch.randn_like(table) * 0.4 / table.shape[1] ** 0.5)
    model.lm_head.weight = table if tied else own


def _save_t5(model, tied, directory):
    """As published files are: one table, and the head where it is not the table."""
    weights = {
        n: p.contiguous()
        for n, p in model.state_dict().items()
        if "embed_tokens" not in n and not (tied and n == "lm_head.weight")
    }
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    config.pop("scale_decoder_outputs")
    config["tie_word_embeddings"] = tied
    (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def _inputs(base):
    if base == "conv":
        return {"x": torch.randn(3, 2, 9, 9)}
    if base == "conv1d":
        return {"x": torch.randn(3, 3, 12)}
    if base == "mlp":
        return {"ids": torch.randint(0, 20, (3, 7))}
    ids = torch.randint(3, VOCABULARY, (3, 11))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    if base.startswith((*CAUSAL, "t5")):
        mask[2, :3] = 0
    else:
        mask[2, 9:] = 0
    inputs = {"input_ids": ids * mask, "attention_mask": mask}
    if base.startswith("t5"):
        written = torch.randint(3, VOCABULARY, (3, 8))
        written[:, 0] = 0
        inputs["decoder_input_ids"] = written
    if base.startswith("bert"):
        types = torch.zeros_like(ids)
        types[:, 5:] = 1
        inputs["token_type_ids"] = types * mask
    return inputs


def make(base, root: Path):
    """Writes base/<name>: config.json, model.safetensors, io.safetensors."""
    directory = root / "base" / base
    directory.mkdir(parents=True)
    torch.manual_seed(1 + NAMES.index(base))
    if base in CUSTOM:
        model = CUSTOM[base]()
        _randomise(model)
        save_file(model.state_dict(), directory / "model.safetensors", metadata={"format": "pt"})
    else:
        kind, config_kind, settings = TRANSFORMERS[base]
        config = config_kind(**settings)
        model = kind(config)
        _randomise(model)
        if base.startswith("t5"):
            tied = settings.get("tie_word_embeddings", True)
            _finish_t5(model, tied)
            _save_t5(model, tied, directory)
        else:
            if base.startswith("gpt2"):
                for p in model.transformer.ln_f.parameters():
                    p.data.mul_(0.4)  # or scores would be as large as the embeddings
            model.tie_weights()
            model.save_pretrained(directory)
        (directory / "generation_config.json").unlink(missing_ok=True)
    inputs = _inputs(base)
    save_file({**inputs, **run(base, load(base, root), inputs)}, directory / "io.safetensors")


def load(base, root: Path):
    """The frozen model as a user gets it from disk; `root` must be the working directory, so that
    base_model_name_or_path reads base/<name> on every machine."""
    if base in CUSTOM:
        model = CUSTOM[base]()
        model.load_state_dict(load_file(root / "base" / base / "model.safetensors"))
    else:
        name = f"base/{base}" if Path.cwd() == root.resolve() else str(root / "base" / base)
        model = TRANSFORMERS[base][0].from_pretrained(name, attn_implementation="eager")
    return model.eval()


def inputs_of(base, root: Path):
    io = load_file(root / "base" / base / "io.safetensors")
    return {k: v for k, v in io.items() if k not in outputs_of(base)}


def expected(base, root: Path):
    io = load_file(root / "base" / base / "io.safetensors")
    return {k: io[k] for k in outputs_of(base)}


@torch.no_grad()
def run(base, model, inputs):
    if base in CUSTOM:
        return {"logits": model(*inputs.values()).contiguous()}
    kind = getattr(model, "active_peft_config", None)
    tasks = getattr(kind, "n_tasks", getattr(kind, "num_tasks", None))
    if tasks:  # texts of all tasks in turn
        inputs = {**inputs, "task_ids": torch.arange(len(inputs["input_ids"])) % tasks}
    out = model(**inputs)
    return {k: out[k].contiguous() for k in outputs_of(base)}


def attended(base, inputs, value):
    """The entries worth comparing: a causal model's rows at padding hold numbers that nobody uses."""
    if base.startswith(CAUSAL):
        return value[inputs["attention_mask"].bool()]
    return value


def distance(base, inputs, x, y):
    """The largest absolute difference of two sets of outputs."""
    return max(
        (attended(base, inputs, x[k]) - attended(base, inputs, y[k])).abs().max().item() for k in x
    )


def describe(base, root: Path):
    """The base's row in index.json."""
    row = {
        "dir": f"base/{base}",
        "class": (CUSTOM[base] if base in CUSTOM else TRANSFORMERS[base][0]).__name__,
        "inputs": list(inputs_of(base, root)),
        "outputs": outputs_of(base),
        "compare": "where attention_mask is 1" if base.startswith(CAUSAL) else "everywhere",
    }
    if base in CUSTOM:
        row["architecture"] = " ".join(CUSTOM[base].__doc__.split())
        row["modules"] = [
            {"name": n, "type": type(m).__name__, "settings": m.extra_repr()}
            for n, m in CUSTOM[base]().named_children()
        ]
    else:
        row["model_type"] = json.loads((root / "base" / base / "config.json").read_text())[
            "model_type"
        ]
    return row
