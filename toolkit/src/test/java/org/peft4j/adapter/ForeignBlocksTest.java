package org.peft4j.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.pooling.Pool;
import ai.djl.nn.transformer.BertBlock;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.nn.Overlay;
import org.peft4j.reparam.AdaLora;
import org.peft4j.reparam.Lora;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * Any DJL block a user already has: adapted, trained by DJL's own Trainer, merged, equal before and
 * after.
 */
@Tag("fast")
class ForeignBlocksTest {
  private NDManager manager;

  @BeforeEach
  void open() {
    manager = Torch.newManager();
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void an_mlp_trains_with_djls_trainer_and_merges() throws Exception {
    Block mlp =
        new SequentialBlock()
            .add(Linear.builder().setUnits(16).build())
            .add(Activation.reluBlock())
            .add(Linear.builder().setUnits(3).build());
    NDArray x = Seed.of(1).normal(manager, new Shape(60, 4), 1);
    NDArray y = x.get(":, :3").argMax(1).toType(DataType.FLOAT32, false);
    trainAndMerge(mlp, x, y, new Shape(1, 4), List.of());
  }

  @Test
  void a_convolutional_net_trains_with_djls_trainer_and_merges() throws Exception {
    Block net =
        new SequentialBlock()
            .add(
                Conv2d.builder()
                    .setKernelShape(new Shape(3, 3))
                    .setFilters(4)
                    .optPadding(new Shape(1, 1))
                    .optStride(new Shape(2, 1))
                    .build())
            .add(BatchNorm.builder().build())
            .add(Activation.reluBlock())
            .add(
                Conv2d.builder()
                    .setKernelShape(new Shape(2, 2))
                    .setFilters(6)
                    .optGroups(2)
                    .optBias(false)
                    .build())
            .add(Activation.reluBlock())
            .add(Pool.globalAvgPool2dBlock())
            .add(Blocks.batchFlattenBlock())
            .add(Linear.builder().setUnits(2).build());
    NDArray x = Seed.of(2).normal(manager, new Shape(40, 3, 8, 7), 1);
    NDArray y = x.flatten(1, 3).mean(new int[] {1}).gt(0).toType(DataType.FLOAT32, false);
    trainAndMerge(net, x, y, new Shape(1, 3, 8, 7), List.of("all-linear", "Conv2d"));
  }

  /** Trains LoRA on the block and checks the invariants that hold for every block. */
  private void trainAndMerge(Block block, NDArray x, NDArray y, Shape input, List<String> targets)
      throws Exception {
    block.setInitializer(new SeededInitializer(), p -> p.getType() == Parameter.Type.WEIGHT);
    block.initialize(manager, DataType.FLOAT32, input);
    Map<String, float[]> before = values(block);
    NDArray plain = run(block, x);
    try (PeftModel tuned = new PeftModel(block, List.of(), List.of())) {
      Placement where = Placement.DEFAULT.withTargets(targets);
      tuned.add("default", new Lora(), where, 3);
      assertThat(maxAbs(run(tuned, x).sub(plain))).as("starts at the base").isLessThan(1e-6f);
      float first = loss(tuned, x, y);
      train(tuned, x, y, 8);
      float last = loss(tuned, x, y);
      assertThat(last).isLessThan(0.8f * first);

      NDArray adapted = run(tuned, x);
      PeftModel.Merged merged = tuned.mergedBlock();
      try (var hold = merged.memory().heldBy(this)) {
        assertThat(maxAbs(run(merged.block(), x).sub(adapted))).isLessThan(1e-5f);
        assertThat(Paths.parameters(merged.block()).keySet())
            .isEqualTo(Paths.parameters(block).keySet());
      }
      tuned.mergeInPlace();
      assertThat(maxAbs(run(tuned, x).sub(adapted))).isLessThan(1e-5f);
      tuned.unmerge();
      assertThat(run(tuned, x).toFloatArray()).isEqualTo(adapted.toFloatArray());
      tuned.disable();
      tuned.enable();
    }
    values(block)
        .forEach(
            (name, now) -> {
              if (!name.contains("running")) { // a training pass updates them, as in any training
                assertThat(now).as(name).isEqualTo(before.get(name));
              }
            });
    assertThat(
            block.getParameters().values().stream()
                .filter(p -> p.getType() == Parameter.Type.WEIGHT))
        .as("trainable again after close")
        .allMatch(Parameter::requiresGradient);
  }

  @Test
  void djls_bert_block_is_adapted_at_query_and_value() throws Exception {
    BertBlock bert =
        BertBlock.builder().nano().setTokenDictionarySize(50).optMaxSequenceLength(6).build();
    bert.setInitializer(new SeededInitializer(), p -> p.getType() == Parameter.Type.WEIGHT);
    bert.initialize(manager, DataType.FLOAT32, new Shape(1, 6), new Shape(1, 6), new Shape(1, 6));
    NDArray ids = manager.arange(12).reshape(2, 6).toType(DataType.INT64, false);
    NDList in = new NDList(ids, ids.zerosLike(), ids.onesLike());
    NDArray plain = bert.forward(new ParameterStore(manager, false), in, false).get(0);
    try (PeftModel tuned = new PeftModel(bert, List.of(), List.of())) {
      tuned.add("default", new Lora(), Placement.DEFAULT, 1);
      List<Site> sites = tuned.blueprint().match(new Lora(), Placement.DEFAULT);
      assertThat(sites).hasSize(8).allMatch(s -> s.role().equals("q") || s.role().equals("v"));
      tuned
          .trainable()
          .values()
          .forEach(p -> p.getArray().addi(Seed.of(4).normal(manager, p.getShape(), 0.1)));
      NDArray adapted = tuned.forward(new ParameterStore(manager, false), in, false).get(0);
      assertThat(maxAbs(adapted.sub(plain))).isGreaterThan(1e-3f);
      PeftModel.Merged merged = tuned.mergedBlock();
      try (var hold = merged.memory().heldBy(this)) {
        NDArray again =
            merged.block().forward(new ParameterStore(manager, false), in, false).get(0);
        assertThat(maxAbs(again.sub(adapted))).isLessThan(1e-5f);
      }
    }
  }

  @Test
  void blocks_without_values_and_symbol_blocks_are_refused() {
    Block empty = new SequentialBlock().add(Linear.builder().setUnits(3).build());
    assertThatThrownBy(() -> new PeftModel(empty, List.of(), List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no values yet")
        .hasMessageContaining("initialize");
  }

  @Test
  void a_merged_block_can_be_adapted_and_merged_again() {
    Block mlp =
        new SequentialBlock()
            .add(Linear.builder().setUnits(5).build())
            .add(Linear.builder().setUnits(3).build());
    mlp.setInitializer(new SeededInitializer(), p -> p.getType() == Parameter.Type.WEIGHT);
    mlp.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    NDArray x = Seed.of(1).normal(manager, new Shape(7, 4), 1);
    PeftModel first =
        new PeftModel(mlp, List.of(), List.of())
            .add("a", new Lora(), Placement.DEFAULT.withTargets(List.of("01Linear")), 1);
    first
        .trainable()
        .values()
        .forEach(p -> p.getArray().addi(Seed.of(4).normal(manager, p.getShape(), 0.3)));
    NDArray once = run(first, x);
    PeftModel.Merged merged = first.mergedBlock();
    PeftModel second =
        new PeftModel(merged.block(), List.of(), List.of())
            .add("b", new Lora(), Placement.DEFAULT, 2);
    assertThat(maxAbs(run(second, x).sub(once))).isLessThan(1e-5f);
    second
        .trainable()
        .values()
        .forEach(p -> p.getArray().addi(Seed.of(5).normal(manager, p.getShape(), 0.3)));
    NDArray twice = run(second, x);
    PeftModel.Merged again = second.mergedBlock();
    try (var one = merged.memory().heldBy(this);
        var two = again.memory().heldBy(this)) {
      assertThat(again.block()).isInstanceOf(Overlay.class);
      assertThat(maxAbs(run(again.block(), x).sub(twice))).isLessThan(1e-5f);
      assertThat(maxAbs(twice.sub(once))).isGreaterThan(1e-2f);
    }
  }

  @Test
  void a_penalty_and_a_rank_schedule_act_on_a_foreign_block() {
    Block mlp =
        new SequentialBlock()
            .add(Linear.builder().setUnits(5).build())
            .add(Linear.builder().setUnits(3).build());
    mlp.setInitializer(new SeededInitializer(), p -> p.getType() == Parameter.Type.WEIGHT);
    mlp.initialize(manager, DataType.FLOAT32, new Shape(1, 4));
    try (PeftModel tuned = new PeftModel(mlp, List.of(), List.of())) {
      tuned.add(
          "a",
          new AdaLora(4, 2, 8, 0, 0, 0, 2, 1, 0.85, 0.85, 0.5, Map.of()),
          Placement.DEFAULT,
          1);
      NDArray penalty = tuned.learning().penalty(new ParameterStore(manager, false), manager);
      assertThat(penalty.getFloat())
          .as("A A^T is near zero, the identity has norm 2")
          .isBetween(0.9f, 1.1f);
    }
  }

  private static NDArray run(Block block, NDArray x) {
    return block
        .forward(new ParameterStore(x.getManager(), false), new NDList(x), false)
        .singletonOrThrow();
  }

  private static float loss(Block block, NDArray x, NDArray y) {
    return Loss.softmaxCrossEntropyLoss()
        .evaluate(new NDList(y), new NDList(run(block, x)))
        .getFloat();
  }

  private void train(PeftModel tuned, NDArray x, NDArray y, int epochs) throws Exception {
    try (Model model = Model.newInstance("tuned", "PyTorch")) {
      model.setBlock(tuned);
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
              .optOptimizer(Optimizer.adam().optLearningRateTracker(Tracker.fixed(0.02f)).build());
      ArrayDataset data =
          new ArrayDataset.Builder().setData(x).optLabels(y).setSampling(20, false).build();
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(20).addAll(x.getShape().slice(1)));
        EasyTrain.fit(trainer, epochs, data, null);
      }
    }
  }

  private static Map<String, float[]> values(Block block) {
    Map<String, float[]> out = new LinkedHashMap<>();
    Paths.parameters(block)
        .forEach((name, p) -> out.put(name + p.getType(), p.getArray().toFloatArray()));
    return out;
  }

  private static float maxAbs(NDArray a) {
    return a.abs().max().getFloat();
  }

  /** Reproducible weights of unit scale. */
  private static final class SeededInitializer implements ai.djl.training.initializer.Initializer {
    private int n;

    @Override
    public NDArray initialize(NDManager m, Shape shape, DataType type) {
      return Seed.of(n++).normal(m, shape, 0.5);
    }
  }
}
