package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.peft4j.adapter.Combination;
import org.peft4j.adapter.Methods;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.Poly;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * Adapters that Hugging Face PEFT wrote, loaded here: the outputs must be those it gave. The files
 * are made by {@code src/test/python/golden.py}; the loop is over its index, so a case that is not
 * handled fails.
 */
@Tag("fast")
class GoldenTest {
  private static final Path ROOT = root();

  /** Tensors that this project refuses on purpose, and the words in which it does. */
  private static final Map<String, String> REFUSED =
      Map.of(
          "conv/lora_groups",
          "does not fit",
          "llama_tied/lora_ensure_tying",
          "ensure_weight_tying");

  /** Held to Hugging Face's values by {@code golden_hooks.py} and {@code golden_xlora.py}. */
  private static final Set<String> OF_HOOKS =
      Set.of(
          "PROMPT_TUNING",
          "MULTITASK_PROMPT_TUNING",
          "CPT",
          "P_TUNING",
          "CARTRIDGE",
          "ADAPTION_PROMPT",
          "PREFIX_TUNING",
          "SHADOW",
          "XLORA");

  private static Path root() {
    try {
      return Path.of(GoldenTest.class.getResource("/golden/hf/index.json").toURI()).getParent();
    } catch (Exception e) {
      throw new IllegalStateException("golden files are missing: run src/test/python/golden.py", e);
    }
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> index() throws IOException {
    return (Map<String, Object>) (Map<String, ?>) Json.read(ROOT.resolve("index.json"));
  }

  /** The cases of both scripts, {@code golden.py} and {@code golden_methods.py}. */
  private static List<Map<String, Object>> cases() throws IOException {
    List<Map<String, Object>> all = new ArrayList<>();
    ((List<?>) index().get("cases")).forEach(c -> all.add(map(c)));
    Object more = Json.read(ROOT.resolve("../methods/index.json")).get("cases");
    for (Object o : (List<?>) more) {
      Map<String, Object> c = new LinkedHashMap<>(map(o));
      c.put("adapters", strings(c.get("adapters")).stream().map(a -> "../methods/" + a).toList());
      c.put("io", "../methods/" + c.get("io"));
      all.add(c);
    }
    return all;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> map(Object o) {
    return (Map<String, Object>) o;
  }

  @SuppressWarnings("unchecked")
  private static List<String> strings(Object o) {
    return (List<String>) o;
  }

  @Test
  void plain_models_equal_transformers() throws IOException {
    for (Map.Entry<String, Object> base : map(index().get("bases")).entrySet()) {
      try (Bench bench = new Bench(base.getKey(), map(base.getValue()))) {
        bench.compare(bench.run(bench.model), bench.io, "", 1e-5, base.getKey());
      }
    }
  }

  /** A base's name begins with its shape: {@code gpt2_untied} is a GPT-2. */
  @Test
  void every_type_of_adapter_is_here_on_every_shape_of_model() throws IOException {
    Set<String> found = new TreeSet<>();
    for (Map<String, Object> c : cases()) {
      boolean dora = strings(c.get("tags")).contains("dora");
      found.add((dora ? "DORA" : c.get("peft_type")) + " " + shape(String.valueOf(c.get("base"))));
    }
    Set<String> wanted = new TreeSet<>();
    for (String shape : List.of("bert", "llama", "gpt2", "t5")) {
      wanted.add("DORA " + shape);
      Methods.all().stream()
          .map(m -> m.standard().peftType())
          .filter(Methods::isHuggingFaces)
          .filter(t -> !OF_HOOKS.contains(t))
          .forEach(t -> wanted.add(t + " " + shape));
    }
    assertThat(found).containsAll(wanted);
  }

  private static String shape(String base) {
    return base.replaceFirst("_.*", "");
  }

  @TestFactory
  Stream<DynamicTest> every_case() throws IOException {
    Map<String, Object> bases = map(index().get("bases"));
    String some = System.getProperty("golden", ".*");
    return cases().stream()
        .filter(c -> String.valueOf(c.get("id")).matches(some))
        .map(
            c ->
                DynamicTest.dynamicTest(
                    (String) c.get("id"), () -> check(c, map(bases.get(c.get("base"))))));
  }

  private void check(Map<String, Object> c, Map<String, Object> base) throws IOException {
    String id = (String) c.get("id");
    double tolerance = 1e-5;
    try (Bench bench = new Bench((String) c.get("base"), base);
        TensorSource io = Safetensors.open(ROOT.resolve((String) c.get("io")))) {
      List<String> directories = strings(c.get("adapters"));
      Path first = ROOT.resolve(directories.get(0));
      if (REFUSED.containsKey(id)) {
        assertThatThrownBy(() -> Peft.load(bench.model, first))
            .hasMessageContaining(REFUSED.get(id));
        return;
      }
      NDList plain = bench.run(bench.model);
      try (Tuned tuned = Peft.load(bench.model, first)) {
        if (directories.size() > 1) {
          tuned.load("second", ROOT.resolve(directories.get(1)));
          tuned.use("default", "second");
        }
        boolean oneTask = tellTasks(tuned, bench);
        String right = io.names().contains(bench.outputs.get(0) + "_exact") ? "_exact" : "";
        NDList adapted = bench.run(tuned);
        bench.compare(adapted, io, id.contains("rslora") ? "" : right, tolerance, id);
        assertThat(bench.distance(adapted, plain)).as("the adapter acts").isGreaterThan(1e-3);

        if (!oneTask) {
          assertThatThrownBy(tuned::merge).hasMessageContaining("name one task");
          return;
        }
        if (!tuned.isMergeable() || String.valueOf(c.get("merge_fails")).contains("bias")) {
          assertThatThrownBy(tuned::merge)
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining(tuned.isMergeable() ? "bias" : tuned.method("default").name());
          saveAgain(tuned, bench, id);
          return;
        }
        try (Pretrained merged = tuned.merge()) {
          bench.compare(
              bench.run(merged),
              io,
              id.contains("rslora") ? "" : right,
              tolerance,
              id + ", merged");
        }
        tuned.mergeInPlace();
        bench.compare(bench.run(tuned), io, "", tolerance, id + ", merged in place");
        tuned.unmerge();
        assertThat(bench.distance(bench.run(tuned), adapted)).as("unmerged").isZero();
        tuned.disable();
        assertThat(bench.distance(bench.run(tuned), plain)).as("disabled is the base").isZero();
        tuned.enable();
        saveAgain(tuned, bench, id);
      }
      if (c.containsKey("combination")) {
        combine(c, bench, io, 2 * tolerance); // the SVD is of an ill-conditioned sum
      }
      assertThat(bench.distance(bench.run(bench.model), plain))
          .as("the base is untouched")
          .isZero();
    }
  }

  /** Says that the i-th text is of task i, modulo their number; whether all are of one. */
  private static boolean tellTasks(Tuned tuned, Bench bench) {
    if (!(tuned.method("default") instanceof Poly poly) || poly.tasks() == 1) {
      return true;
    }
    int texts = (int) bench.io.info("input_ids").shape().get(0);
    tuned.task(IntStream.range(0, texts).map(i -> i % poly.tasks()).toArray());
    return false;
  }

  /** What we write loads to the same outputs, and writing it once more gives the same bytes. */
  private void saveAgain(Tuned tuned, Bench bench, String id) throws IOException {
    Path dir = Files.createTempDirectory("peft4j-golden");
    try {
      tuned.use("default");
      NDList alone = bench.run(tuned);
      tuned.save(dir.resolve("once"), "base", null, "default");
      try (Tuned again = Peft.load(bench.model, dir.resolve("once"))) {
        assertThat(bench.distance(bench.run(again), alone))
            .as(id + " saved and loaded")
            .isLessThan(1e-6);
        again.save(dir.resolve("twice"), "base", null, "default");
      }
      for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
        assertThat(Files.readAllBytes(dir.resolve("twice").resolve(file)))
            .as(id + " " + file)
            .isEqualTo(Files.readAllBytes(dir.resolve("once").resolve(file)));
      }
    } finally {
      try (Stream<Path> paths = Files.walk(dir)) {
        paths.sorted(java.util.Comparator.reverseOrder()).forEach(p -> p.toFile().delete());
      }
    }
  }

  private void combine(Map<String, Object> c, Bench bench, TensorSource io, double tolerance)
      throws IOException {
    Map<String, Object> how = map(c.get("combination"));
    Map<String, Map<String, Object>> cases = new LinkedHashMap<>();
    cases().forEach(o -> cases.put((String) o.get("id"), o));
    List<String> of = strings(how.get("of"));
    List<?> weights = (List<?>) how.get("weights");
    try (Tuned tuned =
        Peft.load(
            bench.model, ROOT.resolve(strings(cases.get(of.get(0)).get("adapters")).get(0)))) {
      Map<String, Double> named = new LinkedHashMap<>();
      named.put("default", ((Number) weights.get(0)).doubleValue());
      for (int i = 1; i < of.size(); i++) {
        tuned.load("n" + i, ROOT.resolve(strings(cases.get(of.get(i)).get("adapters")).get(0)));
        named.put("n" + i, ((Number) weights.get(i)).doubleValue());
      }
      tuned.combine("combined", named, combination(how));
      String suffix = io.names().contains(bench.outputs.get(0) + "_exact") ? "_exact" : "";
      bench.compare(bench.run(tuned), io, suffix, tolerance, c.get("id") + ", combined here");
    }
  }

  private static Combination combination(Map<String, Object> how) {
    String type = (String) how.get("combination_type");
    double density = how.get("density") == null ? 1 : ((Number) how.get("density")).doubleValue();
    Combination c =
        switch (type.replace("_svd", "")) {
          case "cat" -> Combination.cat();
          case "linear" -> Combination.linear();
          case "svd" -> Combination.svd();
          case "ties" -> Combination.ties(density);
          case "magnitude_prune" -> Combination.magnitudePrune(density);
          default -> throw new IllegalArgumentException(type);
        };
    if (type.endsWith("_svd")) {
      c = c.bySvd();
    }
    if ("frequency".equals(how.get("majority_sign_method"))) {
      c = c.countingSigns();
    }
    return how.get("svd_rank") == null ? c : c.withRank(((Number) how.get("svd_rank")).intValue());
  }

  /** A base model with the inputs and outputs that the reference has for it. */
  static final class Bench implements AutoCloseable {
    final NDManager manager = Torch.newManager();
    final Block model;
    final TensorSource io;
    final List<String> outputs;
    private final boolean masked;

    Bench(String name, Map<String, Object> facts) throws IOException {
      Path dir = ROOT.resolve((String) facts.get("dir"));
      outputs = strings(facts.get("outputs"));
      masked = !"everywhere".equals(facts.get("compare"));
      io = Safetensors.open(dir.resolve("io.safetensors"));
      model =
          facts.containsKey("model_type")
              ? Models.load(dir)
              : GoldenNets.load(name, dir.resolve("model.safetensors"), manager);
    }

    NDList run(Block block) {
      List<String> names =
          new ArrayList<>(
              List.of(
                  "input_ids",
                  "attention_mask",
                  "token_type_ids",
                  "decoder_input_ids",
                  "x",
                  "ids"));
      names.retainAll(io.names());
      return Torch.inference(
          () -> {
            NDList in = new NDList();
            names.forEach(n -> in.add(io.load(n, manager)));
            return block.forward(new ParameterStore(manager, false), in, false);
          });
    }

    void compare(
        NDList actual, TensorSource expected, String suffix, double tolerance, String what) {
      try (Scope scope = Scope.open()) {
        for (int i = 0; i < outputs.size(); i++) {
          if (!expected.names().contains(outputs.get(i) + suffix)) {
            assertThat(i).as(what + ": no " + outputs.get(i) + suffix).isPositive();
            continue;
          }
          NDArray difference =
              actual.get(i).sub(expected.load(outputs.get(i) + suffix, manager)).abs();
          if (masked) {
            NDArray mask = io.load("attention_mask", manager).toType(DataType.FLOAT32, false);
            difference = difference.mul(mask.expandDims(2));
          }
          assertThat(difference.max().getFloat())
              .as(what + ", " + outputs.get(i))
              .isLessThanOrEqualTo((float) tolerance);
        }
      }
    }

    double distance(NDList a, NDList b) {
      try (Scope scope = Scope.open()) {
        return a.get(0).sub(b.get(0)).abs().max().getFloat();
      }
    }

    @Override
    public void close() {
      io.close();
      if (model instanceof Pretrained p) {
        p.close();
      }
      manager.close();
    }
  }
}
