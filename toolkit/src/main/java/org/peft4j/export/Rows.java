package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.peft4j.onnx.Initializer;

/** Reads a stored float32 matrix row by row. */
final class Rows {
  private Rows() {}

  /** Takes a row, which is valid during the call. */
  interface Visitor<E extends Exception> {
    void row(long index, float[] values) throws E;
  }

  static <E extends Exception> void forEach(Initializer matrix, Visitor<E> visitor) throws E {
    if (matrix.type() != DataType.FLOAT32 || matrix.shape().dimension() != 2) {
      throw new IllegalArgumentException("rows\nexpected: a float32 matrix\nfound: " + matrix);
    }
    float[] row = new float[Math.toIntExact(matrix.shape().get(1))];
    long[] index = {0};
    int[] filled = {0};
    matrix
        .payload()
        .<E>forEachChunk(
            bytes -> {
              FloatBuffer in = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
              while (in.hasRemaining()) {
                int n = Math.min(in.remaining(), row.length - filled[0]);
                in.get(row, filled[0], n);
                filled[0] += n;
                if (filled[0] == row.length) {
                  visitor.row(index[0]++, row);
                  filled[0] = 0;
                }
              }
            });
  }
}
