package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;
import org.peft4j.train.Fit;

/**
 * LoRA and a method with a shared tensor, VeRA, on every family of decoders that Hugging Face PEFT
 * made adapters on ({@code src/test/python/golden_family_adapters.py}), and LoRA on the experts of
 * those that have some: the same logits, merged and unmerged, through files, and trained on.
 */
@Tag("fast")
class FamilyAdaptersTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");

  @TempDir Path dir;

  @TestFactory
  Stream<DynamicNode> every_family_and_method() throws IOException {
    try (Stream<Path> folders = Files.list(GOLDEN.resolve("family_adapters"))) {
      return folders.sorted().toList().stream()
          .flatMap(
              family ->
                  Stream.of("lora", "vera", "experts")
                      .filter(method -> Files.exists(family.resolve(method)))
                      .map(
                          method ->
                              DynamicTest.dynamicTest(
                                  family.getFileName() + ", " + method,
                                  () -> check(family, method))));
    }
  }

  private static Pretrained base(Path family) {
    return Models.load(GOLDEN.resolve("families").resolve(family.getFileName()));
  }

  private void check(Path family, String method) throws IOException {
    try (Pretrained model = base(family);
        NDManager manager = Torch.newManager();
        TensorSource io = Safetensors.open(family.resolve("io.safetensors"));
        Tuned tuned = Peft.load(model, family.resolve(method))) {
      NDList in = new NDList(io.load("input_ids", manager), io.load("attention_mask", manager));
      NDArray expected = io.load(method + ".logits", manager);
      NDArray adapted = run(tuned, in, manager);
      assertThat(distance(adapted, expected, in)).as("as in PEFT").isLessThan(2e-5f);
      NDArray plain = run(model, in, manager);
      assertThat(distance(adapted, plain, in)).as("it acts").isGreaterThan(1e-2f);
      assertThat(distance(run(tuned.disable(), in, manager), plain, in)).as("off").isZero();
      tuned.enable();
      try (Pretrained merged = tuned.merge()) {
        assertThat(distance(run(merged, in, manager), adapted, in)).as("merged").isLessThan(5e-5f);
        Path saved = dir.resolve(family.getFileName() + "-" + method);
        merged.save(saved);
        try (Pretrained loaded = Models.load(saved)) {
          assertThat(distance(run(loaded, in, manager), adapted, in))
              .as("merged, from its file")
              .isLessThan(5e-5f);
        }
      }
      tuned.mergeInPlace();
      assertThat(distance(run(tuned, in, manager), adapted, in)).as("in place").isLessThan(5e-5f);
      tuned.unmerge();
      assertThat(distance(run(tuned, in, manager), adapted, in)).as("unmerged").isZero();
      files(model, tuned, in, adapted, manager);
      trains(tuned);
      assertThat(distance(run(model, in, manager), plain, in)).as("base untouched").isZero();
    }
  }

  private void files(Pretrained model, Tuned tuned, NDList in, NDArray adapted, NDManager manager) {
    Path saved = dir.resolve("adapter");
    tuned.save(saved);
    try (Tuned again = Peft.load(model, saved)) {
      assertThat(distance(run(again, in, manager), adapted, in)).as("from its file").isZero();
    }
  }

  private static void trains(Tuned tuned) {
    Fit fit =
        tuned
            .fit(new FewTexts(FamilyAdaptersTest::texts, List.of(40L, 50L)))
            .epochs(6)
            .learningRate(0.02)
            .warmup(0)
            .batchSize(2)
            .quiet()
            .run();
    assertThat(fit.steps().get(fit.steps().size() - 1).loss())
        .as("loss after training")
        .isLessThan(fit.steps().get(0).loss());
  }

  /** Where PEFT puts LoRA when it is told nothing. */
  @TestFactory
  Stream<DynamicNode> default_targets_are_those_of_peft() throws IOException {
    try (Stream<Path> folders = Files.list(GOLDEN.resolve("family_adapters"))) {
      return folders.sorted().toList().stream()
          .map(f -> DynamicTest.dynamicTest(f.getFileName().toString(), () -> targets(f)));
    }
  }

  private static void targets(Path family) {
    try (Pretrained model = base(family);
        Tuned theirs = Peft.load(model, family.resolve("lora"));
        Tuned ours = Peft.lora(model).rank(4).apply()) {
      assertThat(names(ours)).isNotEmpty().isEqualTo(names(theirs));
    }
  }

  private static Set<String> names(Tuned tuned) {
    return tuned.trainable().keySet().stream()
        .map(n -> n.substring(n.indexOf(':') + 1))
        .collect(Collectors.toSet());
  }

  private static NDArray run(Block model, NDList in, NDManager manager) {
    return Torch.inference(
        () -> model.forward(new ParameterStore(manager, false), in, false).singletonOrThrow());
  }

  /** The largest difference at a token. */
  private static float distance(NDArray a, NDArray b, NDList in) {
    NDArray tokens = in.get(1).toType(a.getDataType(), false).expandDims(2);
    return a.sub(b).abs().mul(tokens).max().getFloat();
  }

  /** Two texts, each of which goes on with a token. */
  private static NDList texts(NDManager manager) {
    return new NDList(manager.create(new long[][] {{4, 9, 11, 3, 8}, {8, 7, 5, 21, 30}}));
  }
}
