package org.peft4j.train;

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
import java.util.List;
import java.util.Map;
import org.peft4j.adapter.PeftModel;
import org.peft4j.nn.Projection;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraInit;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * A task that trains in milliseconds: which of three random directions a point lies along; two
 * layers with dropout between.
 */
final class SmallTask implements AutoCloseable {
  final NDManager manager = Torch.newManager();
  final Block net = new Net();

  SmallTask() {
    Paths.parameters(net)
        .forEach(
            (path, p) -> {
              NDArray value =
                  Seed.of(1)
                      .at(path)
                      .normal(
                          manager, p.getShape(), p.getType() == Parameter.Type.BIAS ? 0.1 : 0.4);
              p.setInitializer((m, s, t) -> value);
              p.initialize(manager, DataType.FLOAT32);
            });
  }

  static final Reparam LORA =
      new Lora(3, 6, 0.1, false, false, LoraInit.KAIMING, Map.of(), Map.of());

  PeftModel tuned() {
    return tuned(LORA);
  }

  PeftModel tuned(Reparam method) {
    return new PeftModel(net, List.of(), List.of()).add("default", method, Placement.DEFAULT, 5);
  }

  Objective rows(int n, long seed) {
    return new Rows(n, seed);
  }

  @Override
  public void close() {
    manager.close();
  }

  private static final class Rows implements Objective {
    private final float[][] x;
    private final long[] y;

    Rows(int n, long seed) {
      x = new float[n][6];
      y = new long[n];
      for (int i = 0; i < n; i++) {
        Seed s = Seed.of(seed).at(i);
        y[i] = s.below(0, 3);
        for (int j = 0; j < 6; j++) {
          double direction = Seed.of(99).at(y[i]).uniform(j) * 2 - 1;
          x[i][j] = (float) (1.5 * direction + s.uniform(j + 1) - 0.5);
        }
      }
    }

    @Override
    public int rows() {
      return x.length;
    }

    @Override
    public int length(int row) {
      return 1 + (int) y[row];
    }

    private NDArray logits(
        Block model, ParameterStore store, NDManager m, int[] rows, boolean training) {
      float[] flat = new float[rows.length * 6];
      for (int i = 0; i < rows.length; i++) {
        System.arraycopy(x[rows[i]], 0, flat, i * 6, 6);
      }
      NDArray in = Buffers.create(m, flat, new Shape(rows.length, 6));
      return model.forward(store, new NDList(in), training).singletonOrThrow();
    }

    private NDArray targets(NDManager m, int[] rows) {
      long[] t = new long[rows.length];
      for (int i = 0; i < rows.length; i++) {
        t[i] = y[rows[i]];
      }
      return Buffers.create(m, t, new Shape(rows.length));
    }

    @Override
    public NDArray loss(
        Block model, ParameterStore store, NDManager m, int[] rows, boolean training) {
      return CrossEntropy.mean(logits(model, store, m, rows, training), targets(m, rows));
    }

    @Override
    public Metrics evaluate(Block model, int batchSize) {
      int[] all = java.util.stream.IntStream.range(0, rows()).toArray();
      return Torch.inference(
          () -> {
            try (NDManager m = Torch.newManager()) {
              NDArray logits = logits(model, new ParameterStore(m, false), m, all, false);
              double accuracy =
                  logits
                      .argMax(1)
                      .eq(targets(m, all))
                      .toType(DataType.FLOAT32, false)
                      .mean()
                      .getFloat();
              return new Metrics(Map.of("accuracy", accuracy), rows(), true);
            }
          });
    }
  }

  private static final class Net extends AbstractBlock {
    private final Projection first = addChildBlock("first", new Projection(6, 16, true, null));
    private final Projection second = addChildBlock("second", new Projection(16, 3, true, null));

    Net() {
      super((byte) 1);
    }

    @Override
    protected void initializeChildBlocks(NDManager m, DataType type, Shape... in) {}

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> p) {
      Pass pass = Pass.of(store, training);
      NDArray h = pass.dropout("hidden", 0.2, first.apply(pass, in.get(0)).tanh());
      return new NDList(second.apply(pass, h));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] in) {
      return new Shape[] {new Shape(in[0].get(0), 3)};
    }
  }
}
