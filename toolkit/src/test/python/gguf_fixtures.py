"""Makes the GGUF files that tests read, and what must come out of them: toolkit/src/test/resources/gguf.

Run it anywhere:
    python -m venv env && env/bin/pip install "torch>=2.6" "transformers>=5" "tokenizers>=0.21" "safetensors>=0.5" "gguf>=0.17" numpy
    env/bin/python toolkit/src/test/python/gguf_fixtures.py
The files that are there now were made with torch 2.13.0, transformers 5.17.0, tokenizers 0.23.2, safetensors 0.8.0, gguf 0.19.0.
Running it again changes nothing.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

OUT = Path(__file__).resolve().parents[1] / "resources" / "gguf"
# where the F16 scales of a block lie, in bytes
SCALES = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
    T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0], T.IQ4_XS: [0],
}


def random_blocks(kind, shape, generator, deviation):
    """Any bytes but for the scales, which make numbers of about that deviation."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = generator.integers(0, 256, (int(np.prod(shape)) // elements, size), dtype=np.uint8)
    for at in SCALES[kind]:
        blocks[:, at : at + 2] = (generator.uniform(0.5, 1, (len(blocks), 1)).astype(np.float16)).view(np.uint8)
    raw = gguf.dequantize(blocks.reshape(-1), kind)
    shrink = np.float32(deviation) / raw.std()
    for at in SCALES[kind]:
        d = blocks[:, at : at + 2].copy().view(np.float16).astype(np.float32) * shrink
        blocks[:, at : at + 2] = d.astype(np.float16).view(np.uint8)
    return blocks.reshape(*shape[:-1], shape[-1] // elements * size)


def types():
    """Every type that can be loaded, and every type of metadata."""
    generator = np.random.default_rng(1)
    writer = gguf.GGUFWriter(OUT / "types.gguf", "none")
    expected = {}
    for kind in SCALES:
        data = random_blocks(kind, (3, 512), generator, 1)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[kind.name] = gguf.dequantize(data, kind)
    values = generator.standard_normal((2, 3, 5)).astype(np.float32)
    writer.add_tensor("F32", values)
    writer.add_tensor("F16", values.astype(np.float16))
    writer.add_tensor("BF16", gguf.quantize(values, T.BF16), raw_dtype=T.BF16)
    writer.add_tensor("F64", values.astype(np.float64))
    expected["F32"] = values
    expected["F16"] = values.astype(np.float16).astype(np.float32)
    expected["BF16"] = gguf.dequantize(gguf.quantize(values, T.BF16), T.BF16)
    expected["F64"] = values.astype(np.float64)
    for bits in (8, 16, 32, 64):
        info = np.iinfo(f"int{bits}")
        ints = np.array([info.min, -1, 0, 1, info.max], dtype=info.dtype)
        writer.add_tensor(f"I{bits}", ints)
        expected[f"I{bits}"] = ints.astype(np.int32) if bits == 16 else ints
    writer.add_uint8("u8", 255)
    writer.add_int8("i8", -128)
    writer.add_uint16("u16", 65535)
    writer.add_int16("i16", -32768)
    writer.add_uint32("u32", 4294967295)
    writer.add_int32("i32", -2147483648)
    writer.add_uint64("u64", 2**63 - 1)
    writer.add_int64("i64", -(2**63))
    writer.add_float32("f32", 1e-5)
    writer.add_float64("f64", 0.1)
    writer.add_bool("yes", True)
    writer.add_bool("no", False)
    writer.add_string("text", "größe 😀\n\0 end")
    writer.add_array("texts", ["a", "ü", "😀"])
    writer.add_array("ints", [1, -2, 3])
    writer.add_array("floats", [0.5, -1.5])
    writer.add_array("flags", [True, False])
    writer.add_array("bytes", bytes([0, 1, 255]))
    finish(writer)
    save_file(expected, OUT / "types.safetensors")


def written():
    """What the writer must reproduce byte for byte."""
    generator = np.random.default_rng(2)
    x = generator.standard_normal((7, 96)).astype(np.float32)
    x[0, :32] = 0
    x[1, :32] = np.linspace(-1, 1, 32)
    x[2, :32] = np.arange(32) - 16
    x[3, :32] = np.where(np.arange(32) % 2, 1e-6, -1e-6)
    x[4, :32] = 127 * np.array([1] + [0.5 / 127 * (i % 9 - 4) for i in range(31)])
    x[5, :32] = 1e4 * generator.standard_normal(32)
    save_file({"x": x, "short": x[0, :5] + 1}, OUT / "written.safetensors")
    writer = gguf.GGUFWriter(OUT / "written.gguf", "llama")
    writer.add_uint32("llama.block_count", 2)
    writer.add_float32("llama.rope.freq_base", 10000)
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_array("tokenizer.ggml.tokens", ["<s>", "é", "😀"])
    writer.add_key_value("tokenizer.ggml.token_type", [1, 2, 3], gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.INT32)
    writer.add_key_value("tokenizer.ggml.scores", [0.0, -1.5, -2.0], gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.FLOAT32)
    writer.add_tensor("short", x[0, :5] + 1)
    for kind in (T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0):
        data = gguf.quantize(x, kind)
        writer.add_tensor(f"x.{kind.name}", data, raw_dtype=None if kind in (T.F32, T.F16) else kind)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def permute(w, heads):
    """How llama.cpp stores the rows of q and k: pairs that a rotation turns stand side by side."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def unpermute(w, heads):
    return w.reshape(heads, w.shape[0] // heads // 2, 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


ATTENTION = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
}
GPT2 = {
    "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "attn_norm": "ln_1", "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
}


def gguf_names(state, gpt2):
    """GGUF name -> HF name."""
    if gpt2:
        top = {"transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm"}
        layer, modules = "transformer.h.", GPT2
    else:
        top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
        layer, modules = "model.layers.", ATTENTION
    back = {v: k for k, v in modules.items()}
    names = {}
    for name in state:
        stem, end = name.rsplit(".", 1)
        if stem.startswith(layer):
            number, module = stem[len(layer) :].split(".", 1)
            names[f"blk.{number}.{back[module]}.{end}"] = name
        else:
            names[f"{top[stem]}.{end}"] = name
    return names


def model(file, arch, hf, kinds, keys, heads=None, tokenizer=None):
    """A GGUF file with random packed weights; HF's logits on what they stand for."""
    torch.manual_seed(3)
    generator = np.random.default_rng(4)
    config = hf.config
    gpt2 = arch == "gpt2"
    state = hf.state_dict()
    if config.tie_word_embeddings:
        state.pop("lm_head.weight")
    writer = gguf.GGUFWriter(OUT / f"{file}.gguf", arch)
    for key, value in keys.items():
        (writer.add_float32 if isinstance(value, float) else writer.add_uint32)(f"{arch}.{key}", value)
    if tokenizer:
        add_tokenizer(writer, *tokenizer)
    expected = {}
    matrices = 0
    for name, source in gguf_names(state, gpt2).items():
        w = state[source].numpy()
        flip = gpt2 and w.ndim == 2 and "embd" not in name
        shape = w.shape[::-1] if flip else w.shape
        if w.ndim == 1:
            stored = (generator.standard_normal(shape) * 0.1 + ("norm.weight" in name)).astype(np.float32)
            writer.add_tensor(name, stored)
        elif "position" in name:
            stored = (generator.standard_normal(shape) * 0.1).astype(np.float32)
            writer.add_tensor(name, stored)
        else:
            kind = kinds[matrices % len(kinds)]
            matrices += 1
            if kind in (T.F32, T.F16, T.BF16):
                data = gguf.quantize((generator.standard_normal(shape) * 0.1).astype(np.float32), kind)
                writer.add_tensor(name, data, raw_dtype=kind if kind == T.BF16 else None)
            else:
                data = random_blocks(kind, shape, generator, 0.1)
                writer.add_tensor(name, data, raw_dtype=kind)
            stored = gguf.dequantize(data, kind)
        if heads and "attn_q." in name:
            stored = unpermute(stored, heads[0])
        if heads and "attn_k." in name:
            stored = unpermute(stored, heads[1])
        expected[source] = np.ascontiguousarray(stored.T if flip else stored)
    finish(writer)
    state = {k: torch.from_numpy(v) for k, v in expected.items()}
    missing, unexpected = hf.load_state_dict(state, strict=False)
    assert not unexpected and all(config.tie_word_embeddings and m == "lm_head.weight" for m in missing), (missing, unexpected)
    hf.tie_weights()
    hf.eval()
    ids = torch.from_numpy(generator.integers(0, config.vocab_size, (2, 9)))
    with torch.no_grad():
        logits = hf(input_ids=ids).logits
    save_file({"input_ids": ids.numpy(), "logits": logits.numpy()}, OUT / f"{file}-logits.safetensors")
    if arch != "llama":
        save_file(expected, OUT / f"{file}-weights.safetensors")
    (OUT / f"{file}-config.json").write_text(json.dumps(config.to_dict(), indent=1, sort_keys=True, default=str) + "\n")


def decoder_keys(config, head):
    return {
        "block_count": config.num_hidden_layers, "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size, "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads, "attention.head_count_kv": config.num_key_value_heads,
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps), "rope.dimension_count": head,
        "attention.key_length": head, "attention.value_length": head, "vocab_size": config.vocab_size,
    }


def tiny(kind, tied, **more):
    torch.manual_seed(5)
    sizes = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                 max_position_embeddings=128, tie_word_embeddings=tied, bos_token_id=0, eos_token_id=0)
    sizes.update(more)
    return {"llama": lambda: LlamaForCausalLM(LlamaConfig(**sizes)), "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**sizes)),
            "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**sizes))}[kind]()


def all_models():
    bpe = byte_bpe()
    size = bpe.get_vocab_size()
    small = [T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.IQ4_NL, T.F16, T.BF16, T.F32]
    hf = tiny("llama", True, vocab_size=size, rms_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 5000.0})
    model("llama", "llama", hf, small, decoder_keys(hf.config, 16), heads=(4, 2), tokenizer=(bpe, "smollm"))
    hf = tiny("llama", False, vocab_size=64, hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_attention_heads=8)
    kinds = [T.Q4_K, T.Q5_K, T.Q2_K, T.Q3_K, T.IQ4_XS, T.Q6_K]
    model("llama-k", "llama", hf, kinds, decoder_keys(hf.config, 32), heads=(8, 2))
    hf = tiny("qwen2", False, vocab_size=48, hidden_size=32, intermediate_size=64, num_hidden_layers=1)
    model("qwen2", "qwen2", hf, small, decoder_keys(hf.config, 8))
    hf = tiny("qwen3", True, vocab_size=48, hidden_size=32, intermediate_size=64, num_hidden_layers=1, head_dim=16)
    model("qwen3", "qwen3", hf, small, decoder_keys(hf.config, 16))
    torch.manual_seed(6)
    hf = GPT2LMHeadModel(GPT2Config(vocab_size=48, n_positions=32, n_embd=32, n_layer=1, n_head=4, n_inner=64,
                                    bos_token_id=0, eos_token_id=0))
    c = hf.config
    keys = {"block_count": c.n_layer, "context_length": c.n_positions, "embedding_length": c.n_embd, "feed_forward_length": 64,
            "attention.head_count": c.n_head, "attention.layer_norm_epsilon": float(c.layer_norm_epsilon)}
    model("gpt2", "gpt2", hf, small, keys)


TRAINING = [
    "The quick brown fox jumps over the lazy dog, and the dog doesn't care; it's 12345 or 3.14159.",
    "  indented code: def f(x):\n\treturn x + 1\n\n\nHELLO World hello world, we'll they've I'm",
    "naïve café – “quotes” … größer Straße, математика и кириллица, 数学 と かな, emoji 🙂🚀",
] * 3
TEXTS = [
    "", "Hello, world!", " leading", "trailing ", "two  spaces   three", "line\n\nbreak\ttab \n next", "12345 and 3.14159 ٣٤",
    "naïve café – “quotes” …", "математика 数学", "🙂🚀👩‍👧", "snake_case camelCase HTTP2", "<|im_start|>user\nHi<|im_end|>\n",
    "don't IT'S we'll", "    four", "aaaaaaaaaaaaaaaa", "e\u0301 \u00e9", "a<|im_end|>b <tool> c", "\r\n\r\n x", "$5.00 + (3)!?",
]
GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
                r"\s+(?!\S)|\s+")

TEKKEN_SPLIT = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
                r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|"
                r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(vocab_size=380, special_tokens=special, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(TRAINING, trainer)
    tokenizer.add_tokens(["<tool>"])
    return tokenizer


TEMPLATE = "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n'}}{% endfor %}"


def add_tokenizer(writer, tokenizer, pre):
    spec = json.loads(tokenizer.to_str())
    names = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    kinds = [1] * len(names)
    for token in spec["added_tokens"]:
        kinds[token["id"]] = 3 if token["special"] else 4
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in spec["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)


def cases(tokenizer, first=()):
    out = []
    for text in TEXTS:
        ids = list(first) + tokenizer.encode(text, add_special_tokens=False).ids
        out.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    return out


def split(*patterns):
    parts = [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
    return pre_tokenizers.Sequence(parts + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def all_tokenizers():
    """The same vocabulary under each way of splitting a text; those of HF's own files."""
    expected = {}
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    kinds = {
        "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level]), None, False),
        "gpt-2": (byte_level, None, False),
        "llama-bpe": (split(LLAMA3_SPLIT), None, True),
        "qwen2": (split(LLAMA3_SPLIT.replace("{1,3}", "")), normalizers.NFC(), False),
        "tekken": (split(TEKKEN_SPLIT), None, True),
    }
    for pre, (pre_tokenizer, normalizer, ignore_merges) in kinds.items():
        tokenizer = byte_bpe()
        writer = gguf.GGUFWriter(OUT / f"tokenizer-{pre}.gguf", "llama")
        add_tokenizer(writer, tokenizer, pre)
        finish(writer)
        tokenizer.pre_tokenizer = pre_tokenizer
        if normalizer:
            tokenizer.normalizer = normalizer
        tokenizer.model.ignore_merges = ignore_merges
        tokenizer.save(str(OUT / f"tokenizer-{pre}.json"), pretty=False)
        expected[pre] = cases(tokenizer, [0] if pre in ("llama-bpe", "tekken") else [])
    expected["spm"] = spm()
    (OUT / "tokens.json").write_text(json.dumps(expected, indent=1) + "\n")


def spm():
    """SentencePiece's BPE by its definition: the two neighbours whose joint piece has the best score are joined first."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(TRAINING, trainers.BpeTrainer(vocab_size=250, show_progress=False))
    vocabulary = json.loads(trained.to_str())["model"]["vocab"]
    learnt = [piece for piece, _ in sorted(vocabulary.items(), key=lambda e: e[1]) if len(piece) > 1]
    letters = [piece for piece in vocabulary if len(piece) == 1]
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + learnt + sorted(letters) + ["<tool>"]
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(names) - 260) + [4]
    scores = [0.0] * 259 + [-float(i) for i in range(len(names) - 260)] + [-1000.0]
    writer = gguf.GGUFWriter(OUT / "tokenizer-spm.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(names)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    finish(writer)
    ids = {name: i for i, name in enumerate(names)}

    def pieces(text):
        symbols = list(text)
        while True:
            joined = [(scores[ids[a + b]], -i) for i, (a, b) in enumerate(zip(symbols, symbols[1:])) if a + b in ids and kinds[ids[a + b]] == 1]
            if not joined:
                break
            at = -max(joined)[1]
            symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
        out = []
        for symbol in symbols:
            out += [ids[symbol]] if symbol in ids else [ids[f"<0x{b:02X}>"] for b in symbol.encode()]
        return out

    out = []
    for text in TEXTS:
        text = text.replace("<|im_start|>", "<s>").replace("<|im_end|>", "</s>")
        tokens, rest = [1], text
        while rest:
            cut = [(rest.find(s), s) for s in ("<s>", "</s>", "<tool>") if s in rest]
            at, special = min(cut) if cut else (len(rest), None)
            if at:
                tokens += pieces(("▁" + rest[:at]).replace(" ", "▁"))
            if special:
                tokens.append(ids[special])
            rest = rest[at + len(special or "") :]
        out.append({"text": text, "ids": tokens})
    return out


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    types()
    written()
    all_models()
    all_tokenizers()
