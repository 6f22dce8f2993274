package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.LoraInit;

/** {@code peft export} of adapters that are chosen for each run, and {@code peft generate}. */
@Tag("fast")
class ExportAdaptersTest {
  private static final String GGUF = "src/test/resources/gguf/llama.gguf";

  @TempDir Path dir;

  @BeforeEach
  void adapters() {
    try (Pretrained model = Models.load(Path.of(GGUF))) {
      adapter(model, "one", 4, "q", "v");
      adapter(model, "two", 7, "all-linear");
    }
  }

  private void adapter(Pretrained model, String name, int rank, String... targets) {
    try (Tuned tuned =
        Peft.lora(model)
            .rank(rank)
            .alpha(16 * rank)
            .targets(targets)
            .init(LoraInit.RANDOM)
            .apply()) {
      tuned.save(dir.resolve(name));
    }
  }

  private Map<String, Object> exported(Object... more) {
    Object[] all = new Object[4 + more.length];
    System.arraycopy(new Object[] {"export", "--json", "--model", GGUF}, 0, all, 0, 4);
    System.arraycopy(more, 0, all, 4, more.length);
    return Ran.of(all).json();
  }

  private static Ran generate(Object model, Object adapter) {
    Object[] plain = {"generate", "--model", model, "--prompt", "a cat", "--max-tokens", "9"};
    return adapter == null
        ? Ran.of(plain[0], plain[1], plain[2], plain[3], plain[4], plain[5], plain[6], "--json")
        : Ran.of(
            plain[0],
            plain[1],
            plain[2],
            plain[3],
            plain[4],
            plain[5],
            plain[6],
            "--json",
            "--adapter",
            adapter);
  }

  private static Object text(Object model, Object adapter) {
    return generate(model, adapter).json().get("text");
  }

  @Test
  void adapters_lie_beside_the_graph_and_one_acts_in_a_run() {
    Path out = dir.resolve("graph");
    for (String profile : List.of("standard", "ort")) {
      Map<String, Object> said =
          exported(
              "--out",
              out,
              "--profile",
              profile,
              "--swap",
              dir.resolve("one"),
              "--swap",
              dir.resolve("two"));
      assertThat(said.get("adapters").toString()).contains("one.onnx_adapter", "two.onnx_adapter");
      Object base = text(GGUF, null);
      assertThat(text(out, null)).isEqualTo(base);
      for (String name : List.of("one", "two")) {
        assertThat(text(out, out.resolve(name + ".onnx_adapter")))
            .isEqualTo(text(GGUF, dir.resolve(name)))
            .isNotEqualTo(base);
      }
    }
  }

  @Test
  void a_later_adapter_is_written_alone_for_a_graph_with_places() {
    Path out = dir.resolve("graph");
    exported("--out", out, "--places", "q,v");
    Path one = dir.resolve("one.onnx_adapter");
    assertThat(exported("--adapter", dir.resolve("one"), "--out", one)).containsKey("tensors");
    assertThat(text(out, one)).isEqualTo(text(GGUF, dir.resolve("one")));
    Path two = dir.resolve("two.onnx_adapter");
    Ran.of("export", "--model", GGUF, "--adapter", dir.resolve("two"), "--out", two).well();
    assertThat(generate(out, two).err())
        .contains("two.onnx_adapter: the adapter does not fit model.onnx")
        .contains("unknown: \"model.layers.0.self_attn.k_proj.lora_A.weight\"");
  }

  @Test
  void a_graph_beside_which_nothing_lies_takes_adapters_too() throws Exception {
    Path out = dir.resolve("m.onnx");
    exported("--out", out, "--swap", dir.resolve("one"), "--quantize", "int8");
    assertThat(dir.resolve("one.onnx_adapter")).isRegularFile();
    assertThat(Files.size(dir.resolve("one.onnx_adapter"))).isLessThan(Files.size(out));
  }

  @Test
  void wrong_wishes_are_refused_before_anything_is_written() {
    Path one = dir.resolve("one");
    Path out = dir.resolve("graph");
    assertThat(
            Ran.of("export", "--model", GGUF, "--out", out, "--swap", one, "--adapter", one).err())
        .contains("--adapter is merged, --swap is not", "fix: merge first");
    assertThat(Ran.of("export", "--model", GGUF, "--out", out, "--swap", one, "--swap", one).err())
        .contains("--swap", "different names", "found:");
    assertThat(Ran.of("export", "--model", GGUF, "--out", out, "--places", "gates").err())
        .contains("nothing is called 'gates'", "nearest: gate");
    assertThat(Ran.of("export", "--model", GGUF, "--out", dir.resolve("x.onnx_adapter")).err())
        .contains("--adapter DIR is needed");
    assertThat(
            Ran.of(
                    "export",
                    "--model",
                    GGUF,
                    "--adapter",
                    one,
                    "--quantize",
                    "int4",
                    "--out",
                    dir.resolve("x.onnx_adapter"))
                .err())
        .contains("expected: --model and --adapter alone");
    try (Pretrained model = Models.load(Path.of(GGUF));
        Tuned tuned = Peft.dora(model).apply()) {
      tuned.save(dir.resolve("dora"));
    }
    assertThat(Ran.of("export", "--model", GGUF, "--out", out, "--swap", dir.resolve("dora")).err())
        .contains("adapter 'dora' cannot be swapped at run time", "merge it");
    assertThat(out)
        .satisfiesAnyOf(o -> assertThat(o).doesNotExist(), o -> assertThat(o).isEmptyDirectory());
    exported("--out", out, "--swap", one);
    assertThat(generate(out, one).err())
        .contains("expected: an .onnx_adapter file", "fix: peft export --model X --adapter");
    exported("--out", out);
    assertThat(generate(out, dir.resolve("none.onnx_adapter")).err()).contains("found: none");
    exported("--adapter", one, "--out", dir.resolve("x.onnx_adapter"));
    assertThat(generate(out, dir.resolve("x.onnx_adapter")).err())
        .contains("model.onnx has no places for adapters", "peft export --places");
  }
}
