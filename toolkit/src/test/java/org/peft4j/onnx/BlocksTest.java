package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.ParallelBlock;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.ConstantEmbedding;
import ai.djl.nn.core.Linear;
import ai.djl.nn.core.Multiplication;
import ai.djl.nn.core.SparseMax;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.Dropout;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.nn.pooling.Pool;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.nn.transformer.BertBlock;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** DJL's own blocks, as their authors wrote them. */
@Tag("fast")
class BlocksTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  /** Weights, biases, gains and statistics that are not all the same. */
  private void initialize(Block block, Shape... inputs) {
    initialize(0.3, block, inputs);
  }

  private void initialize(double deviation, Block block, Shape... inputs) {
    block.initialize(manager, DataType.FLOAT32, inputs);
    block
        .getParameters()
        .forEach(
            p -> {
              NDArray array = p.getValue().getArray();
              Seed seed = Seed.of(1).at(p.getKey());
              boolean weight = p.getValue().getType() == Parameter.Type.WEIGHT;
              NDArray values =
                  weight
                      ? seed.normal(manager, array.getShape(), deviation)
                      : seed.uniform(manager, array.getShape(), 0.5, 1.5);
              array.toByteBuffer(true).put(values.toByteBuffer());
            });
  }

  @Test
  void a_multilayer_perceptron() throws Exception {
    SequentialBlock block =
        new SequentialBlock()
            .add(Blocks.batchFlattenBlock(12))
            .add(Linear.builder().setUnits(8).build())
            .add(Activation::relu)
            .add(Dropout.builder().optRate(0.5f).build())
            .add(Linear.builder().setUnits(3).optBias(false).build());
    initialize(block, new Shape(1, 4, 3));
    GraphExport export =
        GraphExport.of(block).inputs(Input.floats("x", "batch", 4, 3)).outputs("y");
    Comparison c =
        Exported.compare(
            export, List.of(Exported.sizes("batch", 1), Exported.sizes("batch", 9)), 1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
    try (OnnxGraph graph = export.trace()) {
      assertThat(graph.histogram())
          .isEqualTo(java.util.Map.of("Reshape", 1, "MatMul", 2, "Add", 1, "Relu", 1));
      assertThat(graph.initializers())
          .extracting(Initializer::name)
          .contains("02Linear_weight", "02Linear_bias", "05Linear_weight");
    }
  }

  @Test
  void a_small_convolutional_network() throws Exception {
    SequentialBlock block =
        new SequentialBlock()
            .add(
                Conv2d.builder()
                    .setKernelShape(new Shape(3, 3))
                    .setFilters(4)
                    .optPadding(new Shape(1, 1))
                    .build())
            .add(BatchNorm.builder().build())
            .add(Activation.leakyReluBlock(0.1f))
            .add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)))
            .add(
                Conv2d.builder()
                    .setKernelShape(new Shape(3, 3))
                    .setFilters(6)
                    .optStride(new Shape(2, 2))
                    .optGroups(2)
                    .build())
            .add(Activation.swishBlock(1f))
            .add(Pool.globalAvgPool2dBlock())
            .add(Linear.builder().setUnits(5).build());
    initialize(block, new Shape(1, 3, 16, 12));
    GraphExport export =
        GraphExport.of(block)
            .inputs(Input.floats("image", "batch", 3, "height", "width"))
            .outputs("logits")
            .traced("height", 8, 10, 13)
            .traced("width", 8, 11, 15);
    Comparison c =
        Exported.compare(
            export,
            List.of(
                Exported.sizes("batch", 1, "height", 16, "width", 12),
                Exported.sizes("batch", 5, "height", 9, "width", 17)),
            1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
    try (OnnxGraph graph = export.trace()) {
      assertThat(graph.outputs())
          .containsExactly(new GraphValue("logits", DataType.FLOAT32, List.of("batch", "5")));
    }
  }

  @Test
  void batch_norm_of_another_axis_layer_norm_and_parallel_branches() throws Exception {
    SequentialBlock block =
        new SequentialBlock()
            .add(BatchNorm.builder().optAxis(2).build())
            .add(LayerNorm.builder().axis(2).build())
            .add(
                new ParallelBlock(l -> new NDList(l.get(0).get(0).concat(l.get(1).get(0), -1)))
                    .add(Linear.builder().setUnits(2).build())
                    .add(
                        new SequentialBlock()
                            .add(Multiplication.builder().setUnits(1).build())
                            .add(Activation::tanh)
                            .add(a -> new NDList(a.get(0).squeeze(0)))));
    initialize(block, new Shape(1, 4, 3));
    GraphExport export =
        GraphExport.of(block).inputs(Input.floats("x", "batch", 4, 3)).outputs("y");
    Comparison c =
        Exported.compare(
            export, List.of(Exported.sizes("batch", 1), Exported.sizes("batch", 7)), 1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
  }

  @Test
  void sparse_max_and_constant_embedding() throws Exception {
    SequentialBlock sparse = new SequentialBlock().add(new SparseMax(-1, 2));
    sparse.initialize(manager, DataType.FLOAT32, new Shape(1, 5));
    Comparison c =
        Exported.compare(
            GraphExport.of(sparse).inputs(Input.floats("x", "batch", 5)).outputs("y"),
            List.of(Exported.sizes("batch", 1), Exported.sizes("batch", 7)),
            1e-6);
    assertThat(c.passed()).as(c::toString).isTrue();
    ConstantEmbedding embedding =
        new ConstantEmbedding(Seed.of(1).normal(manager, new Shape(3), 1));
    embedding.initialize(manager, DataType.FLOAT32, new Shape(1));
    c =
        Exported.compare(
            GraphExport.of(embedding).inputs(Input.floats("x", "batch", 2)).outputs("y"),
            List.of(Exported.sizes("batch", 1), Exported.sizes("batch", 7)),
            1e-6);
    assertThat(c.passed()).as(c::toString).isTrue();
  }

  @Test
  void an_lstm_with_its_states() throws Exception {
    Block lstm = LSTM.builder().setStateSize(4).setNumLayers(2).optReturnState(true).build();
    Block block = new PlainLstm.Oracle(lstm, 2);
    initialize(block, new Shape(2, 5, 3));
    GraphExport export =
        GraphExport.of(block)
            .inputs(
                Input.floats("x", "batch", "length", 3),
                Input.floats("h", 2, "batch", 4),
                Input.floats("c", 2, "batch", 4))
            .outputs("y", "last_h", "last_c");
    Comparison c =
        Exported.compare(
            export,
            List.of(
                Exported.sizes("batch", 1, "length", 1), Exported.sizes("batch", 3, "length", 8)),
            1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
  }

  @Test
  void djls_bert_whose_sequence_is_fixed() throws Exception {
    BertBlock block = BertBlock.builder().nano().setTokenDictionarySize(100).build();
    initialize(0.02, block, new Shape(2, 128), new Shape(2, 128), new Shape(2, 128));
    GraphExport export =
        GraphExport.of(block)
            .inputs(
                Input.ids("tokens", 100, "batch", 128),
                Input.ids("types", 2, "batch", 128),
                Input.mask("mask", "batch", 128))
            .outputs("hidden", "pooled");
    // at batch 1 DJL's own pooling loses an axis, so that the block fails by itself
    Comparison c = Exported.compare(export, List.of(Exported.sizes("batch", 5)), 1e-5);
    assertThat(c.passed()).as(c::toString).isTrue();
    try (OnnxGraph graph = export.trace()) {
      assertThat(graph.histogram())
          .doesNotContainKeys("Identity", "Unsqueeze", "Slice")
          .containsEntry("Softmax", 4);
      assertThat(graph.nodes()).hasSizeLessThan(170);
    }
  }
}
