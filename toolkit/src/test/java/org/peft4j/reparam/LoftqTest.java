package org.peft4j.reparam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.quant.Nf4;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** LoftQ against what its authors' code makes of the same weight, and in a model. */
@Tag("fast")
class LoftqTest {
  private static final Path GOLDEN =
      Path.of("src/test/resources/golden/bitsandbytes/loftq.safetensors");
  private static final Path BASE = Path.of("src/test/resources/golden/hf/base/llama");

  private final NDManager manager = Torch.newManager();

  @TempDir Path dir;

  @AfterEach
  void close() {
    manager.close();
  }

  private record Context(NDManager manager, NDArray w0, Map<String, Object> memo)
      implements Init.Context {
    @Override
    public Seed seed() {
      return Seed.of(0);
    }

    @Override
    public NDArray b0() {
      throw new IllegalStateException();
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T> T once(String name, Supplier<T> value) {
      return (T) memo.computeIfAbsent(name, n -> Objects.requireNonNull(value.get()));
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 8", "5, 8", "5, 20"})
  void base_and_factors_are_those_of_the_authors(int rounds, double alpha) throws IOException {
    try (TensorSource source = Safetensors.open(GOLDEN);
        Scope scope = Scope.open()) {
      NDArray w = source.load("W", manager);
      Lora lora = new Lora().withAlpha(alpha).withInit(LoraInit.loftq("nf4", rounds));
      Parameter p = Parameters.of("weight", Parameter.Type.WEIGHT, w, false);
      Frozen dense = new Dense(p, null, Operation.LINEAR);
      Site site = new Site("site", Kind.LINEAR, null, 0, dense);
      Declaration theta = new Declaration();
      lora.declare(site, theta);
      Map<String, NDArray> values = new LinkedHashMap<>();
      Context context = new Context(manager, w, new HashMap<>());
      theta.entries().forEach(e -> values.put(e.name(), e.init().make(context, e.shape())));
      Pass pass = Pass.of(new ParameterStore(manager, false), false);
      At at = new At(site, dense, pass, pass, values::get);
      NDArray base = Objects.requireNonNull(lora.shift(at));
      NDArray expected = source.load(rounds + ".Q", manager);
      if (rounds == 1) {
        assertThat(base.toFloatArray()).isEqualTo(expected.toFloatArray());
      }
      assertThat(distance(base, expected)).isLessThan(1e-7); // scales by another SVD's rounding
      assertThat(distance(lora.delta(at), source.load(rounds + ".LR", manager))).isLessThan(2e-6);
      Frozen kept = Objects.requireNonNull(lora.storage()).store(dense, base, manager);
      assertThat(kept).isInstanceOf(Nf4.class);
      assertThat(kept.weight(pass).toFloatArray()).isEqualTo(base.toFloatArray());
    }
  }

  private static double distance(NDArray a, NDArray b) {
    return a.sub(b).abs().max().toType(DataType.FLOAT64, false).getDouble();
  }

  private NDArray run(Block model) {
    NDArray ids = Buffers.create(manager, new long[] {1, 5, 9, 2, 8, 7}, new Shape(2, 3));
    return Torch.inference(
        () -> model.forward(new ParameterStore(manager, false), new NDList(ids), false).get(0));
  }

  @Test
  void a_model_starts_nearer_to_itself_than_quantised_and_comes_back_from_its_file() {
    try (Pretrained model = Models.load(BASE);
        Pretrained quantised = model.quantized("nf4");
        Tuned tuned =
            Peft.lora(model).targets("all-linear").init(LoraInit.loftq("nf4", 5)).apply()) {
      NDArray exact = run(model);
      NDArray start = run(tuned);
      assertThat(distance(start, exact)).isPositive().isLessThan(distance(run(quantised), exact));
      tuned.save(dir);
      try (Tuned again = Peft.load(model, dir);
          Pretrained merged = tuned.merge()) {
        assertThat(run(again).toFloatArray()).isEqualTo(start.toFloatArray());
        assertThat(distance(run(merged), start)).isLessThan(1e-5);
        assertThat(again.toString()).contains("loftq (nf4, 5 rounds)");
      }
      tuned.disable();
      assertThat(run(tuned).toFloatArray()).as("W0 itself").isEqualTo(exact.toFloatArray());
    }
  }

  @Test
  void a_base_that_is_quantised_already_is_refused() {
    try (Pretrained model = Models.load(BASE);
        Pretrained quantised = model.quantized("nf4")) {
      var lora = Peft.lora(quantised).init(LoraInit.loftq());
      assertThatThrownBy(lora::apply)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("loftq")
          .hasMessageContaining("before quantized");
    }
  }
}
