package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Pretrained;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Paths;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;
import org.peft4j.train.Metrics;
import org.peft4j.train.Objective;
import org.peft4j.train.Training;

/**
 * Which block of a small network the data asks for: the quadrant of a projected point, learned,
 * then asked again of turned points, or with other names of the quadrants.
 */
@Tag("fast")
class SurgicalSweepTest {
  private static final int INPUTS = 6;

  private final NDManager manager = Torch.newManager();
  private Pretrained source;

  @BeforeEach
  void learnTheSource() {
    Net net = new Net();
    Paths.parameters(net)
        .forEach(
            (path, p) -> {
              boolean bias = p.getType() == Parameter.Type.BIAS;
              NDArray value = Seed.of(1).at(path).normal(manager, p.getShape(), bias ? 0.05 : 0.45);
              p.setInitializer((m, s, t) -> value);
              p.initialize(manager, DataType.FLOAT32);
            });
    try (Tuned tuned = Peft.full(net).apply()) {
      settings(tuned.fit(new Rows(768, 1, Shift.NONE)).epochs(40)).run();
      assertThat(accuracy(tuned, Shift.NONE)).isGreaterThan(0.9);
      source = tuned.merge();
    }
  }

  @AfterEach
  void close() {
    source.close();
    manager.close();
  }

  private static Training settings(Training t) {
    return t.batchSize(32).learningRate(0.01).quiet();
  }

  private static double accuracy(Tuned tuned, Shift shift) {
    return new Rows(400, 3, shift).evaluate(tuned, 64).main();
  }

  private SurgicalSweep.Result sweep(Shift shift) {
    return Peft.surgicalSweep(source)
        .blocks(2)
        .run(
            t -> settings(t.fit(new Rows(128, 2, shift)).epochs(60)),
            t -> new Rows(400, 3, shift).evaluate(t, 64));
  }

  @Test
  void turned_inputs_ask_for_the_first_block_and_renamed_labels_for_the_last() {
    SurgicalSweep.Result inputs = sweep(Shift.INPUT);
    SurgicalSweep.Result labels = sweep(Shift.LABEL);
    assertThat(inputs.trials().stream().map(SurgicalSweep.Trial::block))
        .containsExactly("input", "layer 0", "layer 1", "output");
    assertThat(inputs.best().block()).as(inputs.toString()).isEqualTo("input");
    assertThat(labels.best().block()).as(labels.toString()).isEqualTo("output");
    assertThat(labels.toString().lines().filter(l -> l.endsWith("<- best")))
        .singleElement()
        .asString()
        .startsWith("output");
    assertThat(inputs.trials().get(0).trainable()).isEqualTo(6 * 12 + 12);
  }

  @Test
  void blocks_of_ones_own_and_impossible_ones() {
    SurgicalSweep.Result one =
        Peft.surgicalSweep(source)
            .block("two", "layers.0", "head")
            .run(
                t -> settings(t.fit(new Rows(32, 2, Shift.LABEL)).maxSteps(1)),
                t -> new Rows(50, 3, Shift.LABEL).evaluate(t, 64));
    assertThat(one.trials()).hasSize(1);
    assertThat(one.best().trainable()).isEqualTo(12 * 12 + 12 + 12 * 4 + 4);
    assertThatThrownBy(() -> Peft.surgicalSweep(source).blocks(3))
        .hasMessageContaining("1 to the number of layers, 2")
        .hasMessageContaining("found: 3");
    try (Tuned tuned = Peft.surgical(source).apply()) {
      assertThatThrownBy(() -> Peft.surgicalSweep(tuned)).hasMessageContaining("plain model");
    }
  }

  /** What is different in the data that the network is tuned to. */
  private enum Shift {
    NONE,
    INPUT,
    LABEL
  }

  private static final class Rows implements Objective {
    private final float[] x;
    private final long[] y;

    Rows(int n, long seed, Shift shift) {
      x = new float[n * INPUTS];
      y = new long[n];
      for (int i = 0; i < n; i++) {
        double[] point = new double[INPUTS];
        for (int j = 0; j < INPUTS; j++) {
          point[j] = Seed.of(seed).at(i).uniform(j) * 2 - 1;
        }
        int right = point[0] + point[2] - point[4] > 0 ? 1 : 0;
        int up = point[1] - point[3] + point[5] > 0 ? 2 : 0;
        int quadrant = right + up;
        y[i] = shift == Shift.LABEL ? new int[] {1, 2, 0, 3}[quadrant] : quadrant;
        double angle = shift == Shift.INPUT ? Math.PI / 3 : 0;
        for (int j = 0; j < INPUTS; j += 2) { // turned in three planes
          double a = point[j];
          double b = point[j + 1];
          x[i * INPUTS + j] = (float) (Math.cos(angle) * a - Math.sin(angle) * b);
          x[i * INPUTS + j + 1] = (float) (Math.sin(angle) * a + Math.cos(angle) * b);
        }
      }
    }

    @Override
    public int rows() {
      return y.length;
    }

    @Override
    public int length(int row) {
      return 1;
    }

    private NDArray logits(
        Block model, ParameterStore store, NDManager m, int[] rows, boolean training) {
      float[] some = new float[rows.length * INPUTS];
      for (int i = 0; i < rows.length; i++) {
        System.arraycopy(x, rows[i] * INPUTS, some, i * INPUTS, INPUTS);
      }
      NDArray in = Buffers.create(m, some, new Shape(rows.length, INPUTS));
      return model.forward(store, new NDList(in), training).singletonOrThrow();
    }

    private NDArray targets(NDManager m, int[] rows) {
      long[] some = IntStream.of(rows).mapToLong(r -> y[r]).toArray();
      return Buffers.create(m, some, new Shape(some.length));
    }

    @Override
    public NDArray loss(
        Block model, ParameterStore store, NDManager m, int[] rows, boolean training) {
      return CrossEntropy.mean(logits(model, store, m, rows, training), targets(m, rows));
    }

    @Override
    public Metrics evaluate(Block model, int batchSize) {
      int[] all = IntStream.range(0, rows()).toArray();
      return Torch.inference(
          () -> {
            try (NDManager m = Torch.newManager()) {
              NDArray logits = logits(model, new ParameterStore(m, false), m, all, false);
              NDArray right = logits.argMax(1).eq(targets(m, all));
              double accuracy = right.toType(DataType.FLOAT32, false).mean().getFloat();
              return new Metrics(Map.of("accuracy", accuracy), rows(), true);
            }
          });
    }
  }

  private static final class Net extends AbstractBlock {
    private final Projection first = addChildBlock("first", new Projection(INPUTS, 12, true, null));
    private final Projection second = addChildBlock("layers.0", new Projection(12, 12, true, null));
    private final Projection third = addChildBlock("layers.1", new Projection(12, 12, true, null));
    private final Projection head = addChildBlock("head", new Projection(12, 4, true, "head"));

    Net() {
      super((byte) 1);
    }

    @Override
    protected void initializeChildBlocks(NDManager m, DataType type, Shape... in) {}

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> p) {
      Pass pass = Pass.of(store, training);
      NDArray h = first.apply(pass, in.get(0)).tanh();
      h = third.apply(pass, second.apply(pass, h).tanh()).tanh();
      return new NDList(head.apply(pass, h));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] in) {
      return new Shape[] {new Shape(in[0].get(0), 4)};
    }
  }
}
