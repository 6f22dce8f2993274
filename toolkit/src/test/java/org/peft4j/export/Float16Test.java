package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.onnx.Initializer;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Torch;

/** Rounding, held against PyTorch's. */
@Tag("fast")
class Float16Test {
  /** Every half's value, the middle to the next one, and what lies just beside that. */
  private static float[] values() {
    float[] values = new float[4 * 65536];
    for (int h = 0; h < 65536; h++) {
      float v = Float16.toFloat((short) h);
      float next = Float16.toFloat((short) (h + 1));
      float middle = Float.isFinite(v) && Float.isFinite(next) ? (v + next) / 2 : v * 1.0003f;
      values[4 * h] = v;
      values[4 * h + 1] = middle;
      values[4 * h + 2] = Math.nextUp(middle);
      values[4 * h + 3] = Math.nextDown(middle);
    }
    return values;
  }

  @Test
  void is_pytorchs_for_all_values_and_all_middles() {
    try (NDManager manager = Torch.newManager()) {
      float[] values = values();
      NDArray full = Buffers.create(manager, values, new Shape(values.length));
      NDArray half = full.toType(DataType.FLOAT16, true);
      short[] expected = new short[values.length];
      Buffers.view(half).asShortBuffer().get(expected);
      byte[] stored = Blocks.bytes(new HalfTensor(Initializer.of("w", full)).stored("w"));
      float[] back = half.toType(DataType.FLOAT32, true).toFloatArray();
      for (int i = 0; i < values.length; i++) {
        if (Float.isNaN(values[i])) {
          assertThat(Float16.toFloat(Float16.of(values[i]))).isNaN();
          continue;
        }
        assertThat(Float16.of(values[i])).as("%s", values[i]).isEqualTo(expected[i]);
        assertThat(Float16.toFloat(expected[i])).isEqualTo(back[i]);
        assertThat((short) ((stored[2 * i] & 0xff) | (stored[2 * i + 1] << 8)))
            .isEqualTo(expected[i]);
      }
    }
  }
}
