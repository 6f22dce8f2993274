package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.Payload;

/**
 * A stored float32 tensor as float16, rounded while it is written.
 *
 * @param full the float32 one
 */
record HalfTensor(Initializer full) {
  /** Constants of so few elements must keep their value, not only its order of magnitude. */
  private static final int FEW = 16;

  private static final int STEP = 1 << 19;

  /** Takes elements, valid during the call. */
  private interface Visitor<E extends Exception> {
    void take(FloatBuffer elements) throws E;
  }

  private <E extends Exception> void forEach(Visitor<E> visitor) throws E {
    full.payload()
        .<E>forEachChunk(
            bytes ->
                visitor.take(bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()));
  }

  /** Whether it holds finite or infinite values beyond float16's largest. */
  boolean overflows() {
    float[] largest = {0};
    this.<RuntimeException>forEach(
        in -> {
          float m = 0;
          while (in.hasRemaining()) {
            m = Math.max(m, Math.abs(in.get()));
          }
          largest[0] = Math.max(largest[0], m);
        });
    return largest[0] > Float16.MAX;
  }

  /** Whether it is a small constant, such as an epsilon, that float16 would falsify. */
  boolean falsified() {
    if (full.shape().size() > FEW) {
      return false;
    }
    boolean[] falsified = {false};
    this.<RuntimeException>forEach(
        in -> {
          while (in.hasRemaining()) {
            float v = in.get();
            falsified[0] |= Math.abs(Float16.toFloat(Float16.of(v)) - v) > 1e-3 * Math.abs(v);
          }
        });
    return falsified[0];
  }

  /** The float16 one. */
  Initializer stored(String name) {
    return Initializer.of(
        name,
        DataType.FLOAT16,
        full.shape(),
        new Payload() {
          @Override
          public long size() {
            return full.size() / 2;
          }

          @Override
          public <E extends Exception> void forEachChunk(Sink<E> sink) throws E {
            HalfTensor.this.<E>forEach(
                in -> {
                  while (in.hasRemaining()) {
                    int n = Math.min(in.remaining(), STEP);
                    ByteBuffer out = ByteBuffer.allocate(2 * n).order(ByteOrder.LITTLE_ENDIAN);
                    for (int i = 0; i < n; i++) {
                      out.putShort(Float16.of(in.get()));
                    }
                    sink.take(out.flip());
                  }
                });
          }
        });
  }

  QuantisationLoss.Tensor loss() {
    QuantisationLoss.Sums sums = new QuantisationLoss.Sums();
    this.<RuntimeException>forEach(
        in -> {
          while (in.hasRemaining()) {
            float v = in.get();
            sums.add(v, Float16.toFloat(Float16.of(v)));
          }
        });
    return sums.tensor(full, "fp16", full.size() / 2);
  }
}
