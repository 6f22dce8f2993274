package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.adapter.Methods;
import org.peft4j.export.Exported;
import org.peft4j.export.Profile;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.reparam.FourierFt;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;

/**
 * Every registered method on a language model as a graph in both profiles, merged or beside it. It
 * is held against the adapted model before it is written: padded, cached, token by token.
 */
@Tag("fast")
class EveryMethodGraphTest {
  private static final Path BASE = Path.of("src/test/resources/golden/families/llama_biased");

  @TempDir Path dir;

  /** All methods, or those that {@code -Dmethods=REGEX} names. */
  @TestFactory
  Stream<DynamicNode> every_method_and_profile() {
    String some = System.getProperty("methods", ".*");
    return Methods.all().stream()
        .filter(m -> m.name().matches(some))
        .flatMap(
            m ->
                Stream.of(Profile.values())
                    .map(
                        p ->
                            DynamicTest.dynamicTest(
                                m.name() + ", " + p,
                                () -> check(m.name(), small(m.standard()), p))));
  }

  @Test
  void what_acts_in_attention_acts_on_a_merged_model_too() throws Exception {
    try (Pretrained model = Models.load(BASE);
        Tuned first = Peft.lora(model).rank(2).apply()) {
      Noise.on(first);
      try (Pretrained merged = first.merge();
          Tuned tuned = Peft.adaptionPrompt(merged).tokens(3).apply()) {
        Noise.on(tuned);
        Exported exported =
            Onnx.of(tuned).profile(Profile.ORT).write(dir.resolve("on-merged.onnx"));
        Comparison checked = exported.validate();
        assertThat(checked.passed()).as(checked::toString).isTrue();
      }
    }
  }

  /** With a size that fits the fixture, whose weights are smaller than FourierFT's default. */
  private static Reparam small(Reparam method) {
    return method instanceof FourierFt f
        ? new FourierFt(100, f.scale(), f.placeSeed(), f.frequencyPattern())
        : method;
  }

  private void check(String name, Reparam method, Profile profile) {
    try (Pretrained model = Models.load(BASE);
        Tuned tuned = Peft.attach(model, method, Placement.DEFAULT, 1)) {
      if (!method.scheduled()) {
        Noise.on(tuned);
      }
      Exported exported =
          Onnx.of(tuned).profile(profile).write(dir.resolve(name + "-" + profile + ".onnx"));
      Comparison checked = exported.validate();
      assertThat(checked.passed()).as(checked::toString).isTrue();
      try (OnnxSession session = exported.session()) {
        boolean cached = session.outputs().size() > 1;
        assertThat(cached).as("cache").isEqualTo(tuned.virtualTokens() == 0 && !tuned.remembers());
      }
    }
  }
}
