package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Outputs;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;

/** {@code peft merge}. */
@Tag("fast")
class MergeCommandTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path LLAMA = GOLDEN.resolve("families/llama");
  private static final Path SHADOW = GOLDEN.resolve("hooks/llama_shadow");
  private static final long[] TEXT = {5, 9, 17, 4, 30};

  @TempDir Path dir;

  private Ran merge(Path adapter, String... more) {
    Object[] all = new Object[7 + more.length];
    Object[] usual = {"merge", "--model", LLAMA, "--adapter", adapter, "--out", dir.resolve("out")};
    System.arraycopy(usual, 0, all, 0, usual.length);
    System.arraycopy(more, 0, all, usual.length, more.length);
    return Ran.of(all);
  }

  @Test
  void a_merged_model_says_what_the_adapted_one_does() {
    Path adapter = dir.resolve("lora");
    try (Pretrained model = Models.load(LLAMA);
        Tuned tuned = Peft.lora(model).rank(2).apply();
        NDManager manager = Torch.newManager()) {
      tuned.trainable().values().forEach(p -> p.getArray().addi(0.1f));
      tuned.save(adapter);
      assertThat(merge(adapter).well().out()).contains("-> " + dir.resolve("out"));
      assertSame(tuned, manager);
    }
  }

  @Test
  void a_shadow_is_written_alone() throws Exception {
    try (Pretrained model = Models.load(LLAMA);
        Tuned tuned = Peft.load(model, SHADOW);
        Pretrained small = tuned.detach();
        NDManager manager = Torch.newManager()) {
      assertThat(merge(SHADOW, "--detach", "--json").json())
          .containsEntry("parameters", small.parameters());
      assertSame(small, manager);
    }
  }

  @Test
  void what_cannot_be_merged_or_detached_says_so() {
    assertThat(merge(SHADOW).err()).contains("no weights to put it into");
    Path lora = dir.resolve("lora");
    try (Pretrained model = Models.load(LLAMA);
        Tuned tuned = Peft.lora(model).rank(2).apply()) {
      tuned.save(lora);
    }
    assertThat(merge(lora, "--detach").err()).contains("nothing to detach");
    assertThat(dir.resolve("out")).doesNotExist();
  }

  private void assertSame(Block expected, NDManager manager) {
    try (Pretrained written = Models.load(dir.resolve("out"))) {
      NDArray there = Outputs.of(expected, manager, TEXT);
      assertThat(Outputs.distance(Outputs.of(written, manager, TEXT), there)).isLessThan(1e-5f);
    }
  }
}
