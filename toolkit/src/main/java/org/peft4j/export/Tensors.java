package org.peft4j.export;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import org.peft4j.onnx.OnnxSession;

/** Tensors of ONNX Runtime in memory that Java sees too. */
final class Tensors {
  private static final int LINE = 64;

  private Tensors() {}

  /** Room for numbers outside of the Java heap. */
  static FloatBuffer floats(long n) {
    if (n > (Integer.MAX_VALUE - 2 * LINE) / Float.BYTES) {
      throw new IllegalArgumentException(
          "keys and values of one layer\nexpected: at most 2 GB\nfound: "
              + n * Float.BYTES
              + " bytes\nfix: fewer texts at a time, or shorter ones");
    }
    // at the start of a cache line, where vectors are read fastest; whole lines are left of a slice
    int bytes = (int) n * Float.BYTES;
    int lines = (bytes + LINE - 1) / LINE;
    return ByteBuffer.allocateDirect((lines + 1) * LINE - 1)
        .alignedSlice(LINE)
        .slice(0, bytes)
        .order(ByteOrder.nativeOrder())
        .asFloatBuffer();
  }

  /** A tensor in that memory, which must live as long. */
  static OnnxTensor of(FloatBuffer memory, long... shape) throws OrtException {
    return OnnxTensor.createTensor(OnnxSession.environment(), memory, shape);
  }

  /** An int64 tensor {@code [rows, width]}. */
  static OnnxTensor of(long[][] rows) throws OrtException {
    int width = rows[0].length;
    LongBuffer memory =
        ByteBuffer.allocateDirect(rows.length * width * Long.BYTES)
            .order(ByteOrder.nativeOrder())
            .asLongBuffer();
    for (long[] row : rows) {
      memory.put(row);
    }
    return OnnxTensor.createTensor(
        OnnxSession.environment(), memory.flip(), new long[] {rows.length, width});
  }

  /** Rows of a float32 tensor along its first axis, in memory of their own. */
  static OnnxTensor rows(OnnxTensor from, long[] rows) throws OrtException {
    long[] shape = from.getInfo().getShape().clone();
    int block = 1;
    for (int i = 1; i < shape.length; i++) {
      block *= (int) shape[i];
    }
    shape[0] = rows.length;
    return of(rows(from.getFloatBuffer(), rows, block), shape);
  }

  /** Scores behind the last token of each text, of logits {@code [rows, tokens, vocabulary]}. */
  static float[][] lastRows(OnnxTensor logits) {
    long[] shape = logits.getInfo().getShape();
    int vocabulary = (int) shape[2];
    FloatBuffer all = logits.getFloatBuffer();
    float[][] out = new float[(int) shape[0]][vocabulary];
    for (int r = 0; r < out.length; r++) {
      all.get((int) ((r + 1) * shape[1] - 1) * vocabulary, out[r]);
    }
    return out;
  }

  /** Blocks of {@code block} numbers, those of {@code rows} in their order. */
  static FloatBuffer rows(FloatBuffer from, long[] rows, int block) {
    FloatBuffer to = floats((long) rows.length * block);
    for (long row : rows) {
      to.put(from.slice((int) row * block, block));
    }
    return to.flip();
  }
}
