package org.peft4j.onnx;

import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;

/** A matrix with its axes exchanged, laid out in memory while it is handed out. */
record Transposed(Payload matrix, Shape shape) implements Payload {
  Transposed {
    if (shape.dimension() != 2) {
      throw new IllegalArgumentException(
          "only a matrix can be transposed\nexpected: 2 dimensions\nfound: " + shape);
    }
  }

  @Override
  public long size() {
    return matrix.size();
  }

  @Override
  public <E extends Exception> void forEachChunk(Sink<E> sink) throws E {
    if (size() == 0) {
      return;
    }
    byte[] bytes = new byte[Math.toIntExact(size())];
    long[] at = {0};
    matrix.forEachChunk(
        piece -> {
          int n = piece.remaining();
          scatter(piece, at[0], bytes);
          at[0] += n;
        });
    sink.take(ByteBuffer.wrap(bytes).asReadOnlyBuffer());
  }

  private void scatter(ByteBuffer piece, long from, byte[] to) {
    long rows = shape.get(0);
    long columns = shape.get(1);
    int width = (int) (size() / (rows * columns));
    for (long element = from / width; piece.hasRemaining(); element++) {
      long target = element % columns * rows + element / columns;
      piece.get(to, (int) (target * width), width);
    }
  }

  @Override
  public Payload transposed(Shape back) {
    return matrix;
  }
}
