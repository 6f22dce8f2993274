package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Torch;

/** The values that blocks are traced and compared with. */
@Tag("fast")
class SampleTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray draw(Input input, Object... sizes) {
    return input.values(manager, Exported.sizes(sizes));
  }

  @Test
  void are_the_same_each_time_and_others_for_other_names_and_sizes() {
    Input x = Input.floats("x", "n", 3);
    assertThat(draw(x, "n", 4).toFloatArray()).isEqualTo(draw(x, "n", 4).toFloatArray());
    assertThat(draw(x, "n", 4).toFloatArray())
        .isNotEqualTo(draw(Input.floats("y", "n", 3), "n", 4).toFloatArray());
    assertThat(draw(x, "n", 5).toFloatArray()).doesNotContain(draw(x, "n", 4).toFloatArray()[0]);
  }

  @Test
  void token_ids_stay_below_the_vocabulary_and_reach_all_of_it() {
    long[] ids = draw(Input.ids("ids", 7, "n"), "n", 200).toLongArray();
    assertThat(Arrays.stream(ids).distinct().sorted().toArray())
        .containsExactly(0, 1, 2, 3, 4, 5, 6);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Sample.below(0))
        .withMessageContaining("0");
  }

  @Test
  void masks_are_padded_at_their_end_or_start_but_never_wholly() {
    long[][] rows = rows(draw(Input.mask("mask", "n", 9), "n", 40));
    assertThat(rows[0]).containsOnly(1);
    assertThat(Arrays.stream(rows).map(SampleTest::text).distinct().sorted())
        .containsExactly("111110000", "111111000", "111111100", "111111110", "111111111");
    long[][] left = rows(draw(Input.mask("mask", "n", 9).sampled(Sample.leftMask()), "n", 40));
    assertThat(Arrays.stream(left).map(SampleTest::text))
        .contains("111111111", "000011111")
        .allMatch(r -> r.endsWith("11111"));
    assertThat(draw(Input.mask("mask", "n", 1), "n", 5).toLongArray()).containsOnly(1);
  }

  private static long[][] rows(NDArray x) {
    int width = (int) x.getShape().get(1);
    long[] all = x.toLongArray();
    long[][] rows = new long[all.length / width][];
    Arrays.setAll(rows, i -> Arrays.copyOfRange(all, i * width, (i + 1) * width));
    return rows;
  }

  private static String text(long[] row) {
    StringBuilder text = new StringBuilder();
    Arrays.stream(row).forEach(text::append);
    return text.toString();
  }

  @Test
  void positions_count_from_where_the_past_ends() {
    Input positions = Input.of("p", DataType.INT64, "batch", "s").sampled(Sample.positions("past"));
    assertThat(draw(positions, "batch", 2, "s", 3, "past", 4).toLongArray())
        .containsExactly(4, 5, 6, 4, 5, 6);
    assertThat(draw(positions.sampled(Sample.positions()), "batch", 1, "s", 3).toLongArray())
        .containsExactly(0, 1, 2);
  }

  @Test
  void come_in_every_type() {
    for (DataType type :
        new DataType[] {
          DataType.FLOAT32,
          DataType.FLOAT64,
          DataType.INT64,
          DataType.INT32,
          DataType.INT8,
          DataType.UINT8,
          DataType.BOOLEAN
        }) {
      NDArray x = draw(Input.of("x", type, 3, "n"), "n", 2);
      assertThat(x.getDataType()).isEqualTo(type);
      assertThat(x.getShape()).isEqualTo(new Shape(3, 2));
    }
    assertThat(draw(Input.floats("x", 4).sampled(Sample.ones())).toFloatArray()).containsOnly(1);
    assertThat(draw(Input.of("x", DataType.INT32, 4).sampled(Sample.zeros())).toIntArray())
        .containsOnly(0);
  }

  @Test
  void of_another_shape_or_type_are_refused() {
    Input wrong =
        Input.floats("x", "n").sampled(d -> d.manager().zeros(new Shape(1), DataType.INT64));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> draw(wrong, "n", 2))
        .withMessageContaining("\"x\"")
        .withMessageContaining("expected: float32 (2)")
        .withMessageContaining("found: int64 (1)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Input.floats("x", "n").shape(Map.of()))
        .withMessageContaining("\"n\"");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Input.of("x", DataType.STRING, 1))
        .withMessageContaining("string");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Input.floats(" ", 1))
        .withMessageContaining("name");
  }
}
