package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/**
 * What a graph cannot do is refused with the operation and the line of the forward that does it.
 */
@Tag("fast")
class ErrorsTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private static GraphExport export(Function<NDArray, NDArray> forward) {
    return GraphExport.of(Exported.block(l -> new NDList(forward.apply(l.head()))))
        .inputs(Input.floats("x", "batch", "sequence", 4))
        .outputs("y");
  }

  private static void refused(Function<NDArray, NDArray> forward, String... parts) {
    assertThatThrownBy(() -> export(forward).trace().close())
        .isInstanceOf(ExportException.class)
        .hasMessageMatching("(?s).*ErrorsTest\\.java:\\d+.*")
        .hasMessageContainingAll(parts);
  }

  @Test
  void names_the_very_line() {
    int line = new Throwable().getStackTrace()[0].getLineNumber() + 1;
    GraphExport export = export(x -> x.fft(4).abs());
    assertThatThrownBy(() -> export.trace().close())
        .hasMessageContaining("NDArray.fft")
        .hasMessageContaining("at: ErrorsTest.java:" + line + "\n")
        .hasMessageContaining("operator table");
  }

  @Test
  void names_a_librarys_line_and_the_models() {
    refused(
        x -> Svd.of(x.reshape(-1, 4)).u(),
        "NDArray.toDoubleArray",
        "Svd.java:",
        ", called from ErrorsTest.java:");
  }

  @Test
  void an_operation_without_an_entry() {
    refused(NDArray::inverse, "NDArray.inverse");
    refused(x -> x.erfinv(), "NDArray.erfinv", "fix: write it with other operations");
    refused(x -> x.getNDArrayInternal().resize(2, 2, 0), "NDArrayEx.resize");
  }

  @Test
  void a_result_whose_shape_follows_the_values() {
    refused(
        x -> x.booleanMask(x.gt(0)),
        "NDArray.booleanMask",
        "shape of its result depends on the values");
    refused(x -> x.nonzero(), "NDArray.nonzero", "shape of its result depends on the values");
    refused(x -> x.get(x.gt(0)), "NDArray.get", "a mask");
  }

  @Test
  void values_that_are_read() {
    refused(x -> x.mul(x.sum().getFloat()), "NDArray.getFloat", "reads the values");
    refused(x -> x.add(x.toFloatArray()[0]), "NDArray.toFloatArray");
    refused(x -> x.contentEquals(x.add(1)) ? x : x.add(1), "NDArray.contentEquals");
    refused(
        x -> x.getManager().create(x.toByteBuffer(), x.getShape(), DataType.FLOAT32),
        "NDArray.toByteBuffer");
  }

  @Test
  void an_array_from_outside_that_is_the_receiver() {
    NDArray table = manager.ones(new Shape(4));
    refused(
        x -> table.mul(x), "from outside the forward is the receiver", "ParameterStore.getValue");
  }

  @Test
  void an_array_kept_from_an_earlier_forward() {
    AtomicReference<NDArray> kept = new AtomicReference<>();
    refused(
        x -> {
          kept.compareAndSet(null, x.mul(2));
          return x.add(kept.get());
        },
        "an earlier forward, kept in a field");
  }

  @Test
  void random_numbers() {
    refused(x -> x.add(x.getManager().randomNormal(x.getShape())), "NDManager.randomNormal");
    refused(
        x -> x.add(x.getManager().randomUniform(0f, 1f, x.getShape())), "NDManager.randomUniform");
    refused(x -> x.add(x.getManager().truncatedNormal(x.getShape())), "NDManager.truncatedNormal");
    refused(x -> x.add(x.getManager().sampleNormal(x, x)), "NDManager.sampleNormal");
  }

  @Test
  void training() {
    refused(
        x -> x.getNDArrayInternal().dropout(x, 0.5f, true).get(0),
        "NDArrayEx.dropout",
        "training mode");
    refused(
        x -> {
          NDArray s = x.getManager().ones(new Shape(4));
          return x.getNDArrayInternal().batchNorm(x, s, s, s, s, 2, 0.9f, 1e-5f, true).get(0);
        },
        "NDArrayEx.batchNorm",
        "training mode");
  }

  @Test
  void writes_that_others_would_see() {
    refused(x -> x.addi(1), "NDArray.addi", "an input");
    refused(x -> x.mul(2).get(":, 0").addi(1), "NDArray.addi", "a view");
    refused(
        x -> {
          NDArray y = x.mul(2);
          NDArray view = y.reshape(-1);
          y.muli(3);
          return view;
        },
        "NDArray.muli",
        "has views");
    refused(x -> x.mul(2).split(2, 2).get(0).negi(), "NDArray.negi");
    refused(x -> x.mul(2).transpose(0, 2, 1).subi(x.sum()), "NDArray.subi");
  }

  @Test
  void writes_to_a_part() {
    refused(
        x -> {
          NDArray y = x.mul(1);
          y.set(new NDIndex(":, 0"), 0f);
          return y;
        },
        "NDArray.set",
        "concat");
    refused(
        x -> {
          x.set(x.gt(0), 1);
          return x;
        },
        "NDArray.set",
        "writes to an input");
  }

  @Test
  void a_write_in_place_that_would_grow() {
    refused(x -> x.sum(new int[] {0}).mul(2).addi(x), "NDArray.addi would change the shape");
  }

  @Test
  void a_structure_that_follows_the_sizes() {
    refused(
        x -> x.getShape().get(1) > 6 ? x.exp() : x.neg(),
        "the graph's structure depends on the sizes",
        "at batch=2, sequence=5: Neg (",
        "at batch=2, sequence=7: Exp (");
    refused(
        x -> {
          NDArray y = x.get(":, 0");
          for (int i = 1; i < x.getShape().get(1); i++) {
            y = y.add(x.get(":, {}", i));
          }
          return y;
        },
        "the graph's structure depends on the sizes",
        "Gather");
  }

  @Test
  void an_attribute_that_follows_the_sizes() {
    refused(
        x -> x.getNDArrayInternal().leakyRelu(0.1f * x.getShape().get(1)),
        "the graph's structure depends on the sizes",
        "LeakyRelu[alpha=0.5] (",
        "LeakyRelu[alpha=0.7] (");
  }

  @Test
  void a_number_that_is_no_sum_of_products_of_sizes() {
    refused(
        x -> x.get(":, 0:{}", x.getShape().get(1) / 2),
        "no sum of products",
        "at: Slice (ErrorsTest.java:",
        "2 at batch=2, sequence=5; ");
    refused(
        x -> x.div((float) Math.sqrt(x.getShape().get(1))),
        "depends on the sizes",
        "at: Div (ErrorsTest.java:");
  }

  @Test
  void java_data_that_follows_the_sizes() {
    refused(
        x -> {
          float[] mask = new float[(int) x.getShape().get(1)];
          mask[mask.length - 1] = -1e9f;
          return x.add(x.getManager().create(mask, new Shape(mask.length, 1)));
        },
        "made from Java data depends on the sizes",
        "arange");
  }

  @Test
  void a_forward_that_fails() {
    refused(
        x -> {
          throw new IllegalStateException("too short");
        },
        "failed at batch=2, sequence=5",
        "too short",
        "GraphExport.traced");
    refused(x -> x.matMul(x.getManager().ones(new Shape(3, 2))), "failed at batch=2, sequence=5");
  }

  @Test
  void a_block_without_values() {
    SequentialBlock block = new SequentialBlock().add(Linear.builder().setUnits(3).build());
    assertThatThrownBy(
            () ->
                GraphExport.of(block)
                    .inputs(Input.floats("x", "n", 4))
                    .outputs("y")
                    .trace()
                    .close())
        .isInstanceOf(ExportException.class)
        .hasMessageContaining("01Linear_weight".substring(2))
        .hasMessageContaining("initialize or load");
  }

  @Test
  void an_export_that_is_not_described_lists_all_that_is_missing() {
    assertThatThrownBy(() -> GraphExport.of(Exported.block(l -> l)).trace().close())
        .hasMessageContaining("no inputs")
        .hasMessageContaining("no outputs");
    assertThatThrownBy(
            () ->
                GraphExport.of(Exported.block(l -> l))
                    .inputs(Input.floats("x", "n"), Input.floats("x", "n"))
                    .outputs("y", "y")
                    .traced("m", 2, 3, 4)
                    .trace()
                    .close())
        .hasMessageContaining("two inputs or outputs are called \"x\"")
        .hasMessageContaining("two inputs or outputs are called \"y\"")
        .hasMessageContaining("\"m\", which is no input's dimension; there are [n]");
  }

  @Test
  void fewer_outputs_than_names() {
    assertThatThrownBy(() -> export(x -> x.mul(2)).outputs("y", "z").trace().close())
        .hasMessageContaining("fewer outputs than names");
  }

  @Test
  void two_parameters_of_one_name() {
    TestBlock block = new TestBlock((p, in, t) -> new NDList(in.head().add(p.parameter("a"))));
    block.with(manager, "a", 3).with(manager, "b", 3);
    assertThatThrownBy(
            () ->
                GraphExport.of(block)
                    .inputs(Input.floats("x", "n", 3))
                    .outputs("y")
                    .names(p -> "same")
                    .trace()
                    .close())
        .hasMessageContaining("two parameters would be called \"same\"")
        .hasMessageContaining("a and b");
  }

  @Test
  void too_many_open_dimensions() {
    assertThatThrownBy(
            () ->
                GraphExport.of(Exported.block(l -> l))
                    .inputs(Input.floats("x", "a", "b", "c", "d", "e", "f"))
                    .outputs("y")
                    .trace()
                    .close())
        .hasMessageContaining("at most 5");
  }

  @Test
  void a_refused_export_leaves_the_block_as_it_was() {
    TestBlock block =
        new TestBlock((p, in, t) -> new NDList(in.head().mul(p.parameter("a")).inverse()));
    block.with("a", manager.create(new float[] {2, 3}));
    assertThatThrownBy(
            () ->
                GraphExport.of(block).inputs(Input.floats("x", 2, 2)).outputs("y").trace().close())
        .hasMessageContaining("NDArray.inverse");
    NDArray x = manager.create(new float[] {1, 0, 0, 1}, new Shape(2, 2));
    NDArray y = block.forward(new ParameterStore(manager, false), new NDList(x), false).head();
    assertThat(y.toFloatArray()).containsExactly(0.5f, 0, 0, 1 / 3f);
  }
}
