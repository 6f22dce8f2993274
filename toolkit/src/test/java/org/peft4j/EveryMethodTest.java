package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.peft4j.Outputs.distance;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.adapter.Methods;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.spi.Method;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.tensor.Torch;
import org.peft4j.train.Fit;

/**
 * Every registered method, at its defaults, on a whole model: trains, merges, comes back to the
 * bit, survives its file, and runs in ONNX Runtime.
 */
@Tag("fast")
class EveryMethodTest {
  private static final List<String> INPUTS =
      List.of("input_ids", "attention_mask", "token_type_ids");
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path BASE = GOLDEN.resolve("hf/base/bert");

  @TempDir Path dir;

  /** All, or those that {@code -Dmethods=REGEX} names. */
  private static Stream<Method> methods() {
    String some = System.getProperty("methods", ".*");
    return Methods.all().stream().filter(m -> m.name().matches(some));
  }

  @TestFactory
  Stream<DynamicNode> every_method() {
    return methods()
        .map(m -> DynamicTest.dynamicTest(m.name(), () -> check(m.name(), m.standard(), BASE)));
  }

  /** One method with parameters of each site, one whose parameters all sites share. */
  @TestFactory
  Stream<DynamicNode> lora_and_vera_on_further_encoders() {
    return Stream.of("distilbert", "modernbert", "deberta")
        .flatMap(
            base ->
                methods()
                    .filter(m -> List.of("lora", "vera").contains(m.name()))
                    .map(
                        m ->
                            DynamicTest.dynamicTest(
                                m.name() + " on " + base,
                                () ->
                                    check(
                                        m.name() + "-" + base,
                                        m.standard(),
                                        GOLDEN.resolve("encoders/" + base + "_sequence")))));
  }

  @TestFactory
  Stream<DynamicNode> every_method_on_a_quantised_base_is_the_same_on_the_decoded_one() {
    return methods().map(m -> DynamicTest.dynamicTest(m.name(), () -> quantised(m.standard())));
  }

  private static void quantised(Reparam method) {
    try (Pretrained model = Models.load(BASE);
        Pretrained quantised = model.quantized("nf4");
        Pretrained decoded = quantised.dequantized();
        NDManager manager = Torch.newManager();
        Tuned a = Peft.attach(quantised, method, Placement.DEFAULT, 1);
        Tuned b = Peft.attach(decoded, method, Placement.DEFAULT, 1)) {
      assertThat(a.allParameters()).isEqualTo(b.allParameters());
      assertThat(losses(a)).isEqualTo(losses(b));
      NDArray adapted = run(a, manager);
      assertThat(distance(adapted, run(b, manager))).isZero();
      if (a.isMergeable()) {
        try (Pretrained merged = a.merge()) {
          assertThat(distance(run(merged, manager), adapted)).as("merged").isLessThan(2e-5f);
        }
      }
    }
  }

  private static List<Double> losses(Tuned tuned) {
    return tuned
        .fit(new FewTexts(EveryMethodTest::inputs, List.of(1L, 2L)))
        .maxSteps(4)
        .learningRate(0.02)
        .warmup(0)
        .batchSize(2)
        .quiet()
        .run()
        .steps()
        .stream()
        .map(s -> s.loss())
        .toList();
  }

  private void check(String name, Reparam method, Path base) throws IOException {
    try (Pretrained model = Models.load(base);
        NDManager manager = Torch.newManager()) {
      NDArray plain = run(model, manager);
      try (Tuned tuned = Peft.attach(model, method, Placement.DEFAULT, 1)) {
        Fit fit =
            tuned
                .fit(new FewTexts(EveryMethodTest::inputs, List.of(1L, 2L)))
                .epochs(8)
                .learningRate(0.02)
                .warmup(0)
                .batchSize(2)
                .quiet()
                .run();
        assertThat(fit.steps().get(fit.steps().size() - 1).loss())
            .as("loss after training")
            .isLessThan(fit.steps().get(0).loss());
        if (!method.scheduled()) { // AdaLoRA's pruned ranks are to stay at zero
          Noise.on(tuned);
        }
        NDArray adapted = run(tuned, manager);
        assertThat(distance(adapted, plain)).as("it acts").isGreaterThan(1e-3f);
        assertThat(distance(run(tuned.disable(), manager), plain)).as("turned off").isZero();
        tuned.enable();
        if (tuned.isMergeable()) {
          merges(tuned, adapted, manager);
        }
        graph(name, tuned, adapted, manager);
        files(name, model, tuned, adapted, manager);
      }
      assertThat(distance(run(model, manager), plain)).as("the base is untouched").isZero();
    }
  }

  private static void merges(Tuned tuned, NDArray adapted, NDManager manager) {
    try (Pretrained merged = tuned.merge()) {
      assertThat(distance(run(merged, manager), adapted)).as("merged").isLessThan(2e-5f);
    }
    tuned.mergeInPlace();
    assertThat(distance(run(tuned, manager), adapted)).as("merged in place").isLessThan(2e-5f);
    tuned.unmerge();
    assertThat(distance(run(tuned, manager), adapted)).as("unmerged").isZero();
  }

  private void graph(String name, Tuned tuned, NDArray adapted, NDManager manager) {
    try (OnnxSession session = Onnx.export(tuned, dir.resolve(name + ".onnx")).session()) {
      NDList in = inputs(manager);
      Map<String, NDArray> feed = new HashMap<>();
      session.inputs().forEach(i -> feed.put(i.name(), in.get(INPUTS.indexOf(i.name()))));
      NDArray there = session.run(manager, feed).get("logits");
      assertThat(distance(there, adapted)).as("in ONNX Runtime").isLessThan(1e-4f);
    }
  }

  private void files(
      String name, Pretrained model, Tuned tuned, NDArray adapted, NDManager manager) {
    tuned.save(dir.resolve(name));
    try (Tuned again = Peft.load(model, dir.resolve(name))) {
      assertThat(distance(run(again, manager), adapted)).as("from its file").isLessThan(1e-6f);
      again.save(dir.resolve(name + "-again"));
    }
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      assertThat(dir.resolve(name + "-again").resolve(file))
          .as(file)
          .hasSameBinaryContentAs(dir.resolve(name).resolve(file));
    }
  }

  private static NDList inputs(NDManager manager) {
    NDArray ids = manager.create(new long[][] {{4, 9, 11, 3, 0}, {8, 7, 0, 0, 0}});
    NDArray mask = manager.create(new long[][] {{1, 1, 1, 1, 0}, {1, 1, 0, 0, 0}});
    return new NDList(ids, mask, ids.zerosLike());
  }

  private static NDArray run(Block model, NDManager manager) {
    return Outputs.of(model, inputs(manager));
  }
}
