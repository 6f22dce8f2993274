package org.peft4j.export;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.Initializer;

/**
 * Scales and zero points of the matrix that was written last: its codes, scales and zero points are
 * written one after the other, and finding them anew each time costs more than keeping them.
 */
final class Grids {
  private @Nullable Initializer rows;
  private @Nullable BlockCode code;
  private float[] scales = {};
  private byte[] zeros = {};
  private boolean[] known = {};

  /** Sets the scales and zero points of a row. */
  void find(BlockMatrix matrix, long index, float[] values, BlockCode.Row row) {
    if (matrix.rows() != rows || !matrix.code().equals(code)) {
      int n = Math.toIntExact(matrix.rows().shape().get(0));
      rows = matrix.rows();
      code = matrix.code();
      scales = new float[Math.multiplyExact(n, row.scales.length)];
      zeros = new byte[scales.length];
      known = new boolean[n];
    }
    int at = (int) index;
    int from = at * row.scales.length;
    int to = from + row.scales.length;
    if (known[at]) {
      row.recall(Arrays.copyOfRange(scales, from, to), Arrays.copyOfRange(zeros, from, to));
      return;
    }
    row.measure(values);
    for (int b = 0; b < row.scales.length; b++) {
      scales[from + b] = row.scales[b];
      zeros[from + b] = (byte) row.zeros[b];
    }
    known[at] = true;
  }
}
