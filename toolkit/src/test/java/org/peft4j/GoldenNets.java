package org.peft4j;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.convolutional.Conv1d;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Paths;
import org.peft4j.tensor.Buffers;

/**
 * The small networks that the golden cases adapt beside the language models, of DJL's blocks and of
 * ours.
 */
final class GoldenNets {
  private GoldenNets() {}

  static Block load(String name, Path weights, NDManager manager) throws IOException {
    Block net =
        switch (name) {
          case "conv" -> new ConvNet();
          case "conv1d" -> new Conv1dNet();
          case "mlp" -> new EmbeddingMlp();
          default -> throw new IllegalArgumentException("no network for base '" + name + "'");
        };
    try (TensorSource source = Safetensors.open(weights)) {
      Shape input = name.equals("conv") ? new Shape(1, 2, 9, 9) : new Shape(1, 3, 12);
      if (!(net instanceof EmbeddingMlp)) {
        net.initialize(manager, DataType.FLOAT32, input);
      }
      Paths.parameters(net)
          .forEach(
              (path, p) -> {
                NDArray value = source.load(path, manager);
                if (p.isInitialized()) {
                  Buffers.copy(value, p.getArray());
                } else {
                  p.setInitializer((m, s, t) -> value);
                  p.initialize(manager, DataType.FLOAT32);
                }
              });
    }
    return net;
  }

  private abstract static class Net extends AbstractBlock {
    Net() {
      super((byte) 1);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] in) {
      return new Shape[] {new Shape(in[0].get(0), -1)};
    }

    NDArray run(Block block, ParameterStore store, NDArray x, boolean training) {
      return block.forward(store, new NDList(x), training).singletonOrThrow();
    }
  }

  private static final class ConvNet extends Net {
    private final Block conv1 = addChildBlock("conv1", conv(6, 3, 2, 1, 1, true));
    private final Block conv2 = addChildBlock("conv2", conv(8, 1, 1, 0, 1, false));
    private final Block conv3 = addChildBlock("conv3", conv(8, 3, 1, 1, 2, true));
    private final Block head = addChildBlock("head", Linear.builder().setUnits(5).build());

    private static Conv2d conv(
        int filters, int kernel, int stride, int padding, int groups, boolean bias) {
      return Conv2d.builder()
          .setFilters(filters)
          .setKernelShape(new Shape(kernel, kernel))
          .optStride(new Shape(stride, stride))
          .optPadding(new Shape(padding, padding))
          .optGroups(groups)
          .optBias(bias)
          .build();
    }

    @Override
    protected void initializeChildBlocks(NDManager m, DataType type, Shape... in) {
      conv1.initialize(m, type, in[0]);
      conv2.initialize(m, type, new Shape(1, 6, 5, 5));
      conv3.initialize(m, type, new Shape(1, 8, 5, 5));
      head.initialize(m, type, new Shape(1, 8));
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> p) {
      UnaryOperator<NDArray> relu = Activation::relu;
      NDArray x = relu.apply(run(conv1, store, in.get(0), training));
      x = relu.apply(run(conv2, store, x, training));
      x = relu.apply(run(conv3, store, x, training));
      return new NDList(run(head, store, x.flatten(2, 3).mean(new int[] {2}), training));
    }
  }

  private static final class Conv1dNet extends Net {
    private final Block conv1 =
        addChildBlock(
            "conv1",
            Conv1d.builder()
                .setFilters(8)
                .setKernelShape(new Shape(5))
                .optStride(new Shape(2))
                .optPadding(new Shape(2))
                .build());
    private final Block conv2 =
        addChildBlock("conv2", Conv1d.builder().setFilters(8).setKernelShape(new Shape(2)).build());
    private final Block head = addChildBlock("head", Linear.builder().setUnits(4).build());

    @Override
    protected void initializeChildBlocks(NDManager m, DataType type, Shape... in) {
      conv1.initialize(m, type, in[0]);
      conv2.initialize(m, type, new Shape(1, 8, 6));
      head.initialize(m, type, new Shape(1, 8));
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> p) {
      NDArray x = Activation.relu(run(conv1, store, in.get(0), training));
      x = Activation.relu(run(conv2, store, x, training));
      return new NDList(run(head, store, x.mean(new int[] {2}), training));
    }
  }

  private static final class EmbeddingMlp extends Net {
    private final Embedding embedding = addChildBlock("embedding", new Embedding(20, 16, "embed"));
    private final Projection hidden = addChildBlock("hidden", new Projection(16, 24, true, null));
    private final Projection head = addChildBlock("head", new Projection(24, 5, true, "head"));

    @Override
    protected void initializeChildBlocks(NDManager m, DataType type, Shape... in) {}

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> p) {
      Pass pass = Pass.of(store, training);
      NDArray x = embedding.apply(pass, in.get(0)).mean(new int[] {1});
      return new NDList(head.apply(pass, hidden.apply(pass, x).tanh()));
    }
  }
}
