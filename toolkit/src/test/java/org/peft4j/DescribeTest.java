package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Description;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;

/** What {@code describe()} says of our models and of foreign blocks. */
@Tag("fast")
class DescribeTest {
  private Pretrained base(String name) throws Exception {
    return Models.load(Path.of(getClass().getResource("/golden/hf/base/" + name).toURI()));
  }

  private static List<String> lines(Object description) {
    List<String> lines = description.toString().lines().toList();
    assertThat(lines).allMatch(line -> line.length() <= 100, "fits 100 columns");
    return lines;
  }

  @Test
  void alike_layers_of_a_llama_are_one_entry() throws Exception {
    try (Pretrained model = base("llama")) {
      Description d = model.describe();
      assertThat(d.parameters()).isEqualTo(model.parameters());
      assertThat(d.bytes()).isEqualTo(4 * model.parameters());
      assertThat(String.join("\n", lines(d)) + "\n")
          .isEqualTo(
              """
              llama: llama, causal lm, 19,616 parameters, 76.6 KiB
              module                          role   shape     type  parameters    memory
              model                                                      17,568  68.6 KiB
                embed_tokens                  embed  [64, 32]  f32        2,048   8.0 KiB
                layers                                                   15,488  60.5 KiB
                  0 .. 1 (2 x)                                            7,744  30.3 KiB
                    self_attn                                             3,072  12.0 KiB
                      q_proj                  q      [32, 32]  f32        1,024   4.0 KiB
                      k_proj                  k      [16, 32]  f32          512   2.0 KiB
                      v_proj                  v      [16, 32]  f32          512   2.0 KiB
                      o_proj                  o      [32, 32]  f32        1,024   4.0 KiB
                    mlp                                                   4,608  18.0 KiB
                      gate_proj               gate   [48, 32]  f32        1,536   6.0 KiB
                      up_proj                 up     [48, 32]  f32        1,536   6.0 KiB
                      down_proj               down   [32, 48]  f32        1,536   6.0 KiB
                    input_layernorm           norm   [32]      f32           32     128 B
                    post_attention_layernorm  norm   [32]      f32           32     128 B
                norm                          norm   [32]      f32           32     128 B
              lm_head                         head   [64, 32]  f32        2,048   8.0 KiB
              """);
    }
  }

  @Test
  void a_tied_head_is_counted_once() throws Exception {
    try (Pretrained model = base("llama_tied")) {
      assertThat(model.describe().parameters()).isEqualTo(model.parameters());
      assertThat(lines(model.describe()))
          .anyMatch(line -> line.startsWith("lm_head") && line.endsWith("= embed_tokens"));
    }
  }

  @Test
  void adapters_stand_where_they_act() throws Exception {
    try (Pretrained model = base("bert_plain");
        Tuned tuned = Peft.lora(model).rank(2).targets("q", "v").layers(1).apply()) {
      List<String> lines = lines(tuned.describe());
      assertThat(lines.get(0)).startsWith(model.toString());
      assertThat(lines.get(1)).startsWith("default: lora, rank 2");
      assertThat(lines.stream().map(String::strip))
          .as("layers that differ are not one entry")
          .contains(
              "query          q          [32, 32] + bias  f32        1,056   4.1 KiB  lora +128")
          .contains("query          q          [32, 32] + bias  f32        1,056   4.1 KiB")
          .noneMatch(line -> line.contains(" x)"));
      assertThat(tuned.describe().toHtml()).contains("<span class=\"note\">lora +128</span>");
      Peft.lora(tuned).rank(4).targets("k").named("other").apply();
      assertThat(tuned.describe().toString()).contains("default: lora +128", "other: lora +256");
    }
  }

  @Test
  void a_foreign_block_says_what_its_blocks_are() {
    SequentialBlock net =
        new SequentialBlock()
            .add(Linear.builder().setUnits(8).build())
            .add(BatchNorm.builder().build())
            .add(Activation::relu)
            .add(Linear.builder().setUnits(3).build());
    try (NDManager manager = Torch.newManager()) {
      net.initialize(manager, DataType.FLOAT32, new Shape(2, 4));
      try (Tuned tuned = Peft.lora(net).rank(2).targets("all-linear").apply()) {
        assertThat(lines(tuned.describe()).subList(4, 10))
            .containsExactly(
                "01Linear       Linear       [8, 4] + bias  f32           40   160 B  lora +24",
                "02BatchNorm    BatchNorm    [8] + bias     f32           32   128 B",
                "  runningMean               [8]            f32            8    32 B",
                "  runningVar                [8]            f32            8    32 B",
                "03LambdaBlock  LambdaBlock",
                "04Linear       Linear       [3, 8] + bias  f32           27   108 B  lora +22");
      }
    }
  }

  @Test
  void html_is_escaped_and_balanced() throws Exception {
    try (Pretrained model = base("llama")) {
      String html =
          Description.of(model, "<b>&", java.util.Map.of("model.norm", "x < \"y\"")).toHtml();
      assertThat(html).contains("&lt;b&gt;&amp;").contains("x &lt; &quot;y&quot;");
      assertThat(html.split("<details", -1)).hasSameSizeAs(html.split("</details>", -1));
      assertThat(html.split("<div", -1)).hasSameSizeAs(html.split("</div>", -1));
      assertThat(html).doesNotContain("<script", "http");
    }
  }

  @Test
  void a_model_without_weights_has_no_memory() {
    List<String> lines = lines(Models.meta("llama-7b").describe());
    assertThat(String.join("\n", lines)).contains("0 .. 31 (32 x)").doesNotContain("iB");
  }
}
