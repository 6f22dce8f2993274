package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.model.Inputs;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.LoraInit;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** With adapters too, a cached step gives what reading the whole text again would give. */
@Tag("fast")
class CachedAdapterTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path LLAMA = GOLDEN.resolve("families/llama");

  private static float[] wholeAgain(Block model, long[] ids) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDList in = new NDList(Inputs.array(manager, new long[][] {ids}));
            float[] all =
                model
                    .forward(new ParameterStore(manager, false), in, false)
                    .singletonOrThrow()
                    .toFloatArray();
            int width = all.length / ids.length;
            return Arrays.copyOfRange(all, all.length - width, all.length);
          }
        });
  }

  private static void stepsAgree(Block model) {
    long[] text = {5, 17, 33, 8, 41, 60, 12, 77, 23};
    int prompt = 4;
    try (Decoding decoding = new Decoding(model, 1, prompt, new int[] {prompt})) {
      float[] scores = decoding.read(new long[][] {Arrays.copyOf(text, prompt)})[0];
      for (int n = prompt; n < text.length; n++) {
        float[] expected = wholeAgain(model, Arrays.copyOf(text, n));
        for (int i = 0; i < expected.length; i++) {
          assertThat(scores[i]).as("token %d after %d", i, n).isCloseTo(expected[i], closeTo());
        }
        scores = decoding.read(new long[][] {{text[n]}})[0];
      }
    }
  }

  private static org.assertj.core.data.Offset<Float> closeTo() {
    return org.assertj.core.api.Assertions.within(2e-5f);
  }

  @TestFactory
  Stream<DynamicNode> every_family_with_an_adapter_of_peft() throws IOException {
    try (Stream<Path> folders = Files.list(GOLDEN.resolve("family_adapters"))) {
      return folders.sorted().toList().stream()
          .map(
              f ->
                  DynamicTest.dynamicTest(
                      f.getFileName().toString(),
                      () -> {
                        Path base = GOLDEN.resolve("families").resolve(f.getFileName());
                        try (Pretrained model = Models.load(base);
                            Tuned tuned = Peft.load(model, f.resolve("lora"))) {
                          stepsAgree(tuned);
                        }
                      }));
    }
  }

  @Test
  void lora_acts_in_cached_steps_and_merged_alike() {
    try (Pretrained model = Models.load(LLAMA);
        Tuned tuned =
            Peft.lora(model).rank(4).init(LoraInit.RANDOM).targets("all-linear").seed(3).apply()) {
      long[] ids = {5, 17, 33};
      assertThat(wholeAgain(tuned, ids)).isNotEqualTo(wholeAgain(model, ids));
      stepsAgree(model);
      stepsAgree(tuned);
      try (Pretrained merged = tuned.merge()) {
        stepsAgree(merged);
      }
    }
  }
}
