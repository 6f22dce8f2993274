package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.util.List;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;

/**
 * The bytes of a tensor as ONNX stores them (row-major, little-endian), handed out piece by piece.
 * They may be made as they are handed out, so that large tensors need not be in memory; every round
 * must give the same ones.
 */
public interface Payload {
  /** About how many bytes a piece has. */
  long CHUNK = 16L << 20;

  /** Number of bytes. */
  long size();

  /**
   * Calls {@code sink} with consecutive pieces, each valid during the call. A piece holds whole
   * elements.
   */
  <E extends Exception> void forEachChunk(Sink<E> sink) throws E;

  /**
   * The same bytes of a matrix with its axes exchanged.
   *
   * @param shape of the matrix as it is
   */
  default Payload transposed(Shape shape) {
    return new Transposed(this, shape);
  }

  /** Takes a piece. */
  interface Sink<E extends Exception> {
    void take(ByteBuffer bytes) throws E;
  }

  /** One behind the other. */
  static Payload joined(List<Payload> parts) {
    return new Payload() {
      @Override
      public long size() {
        return parts.stream().mapToLong(Payload::size).sum();
      }

      @Override
      public <E extends Exception> void forEachChunk(Sink<E> sink) throws E {
        for (Payload part : parts) {
          part.forEachChunk(sink);
        }
      }
    };
  }

  /** These bytes, which must not change any more. */
  static Payload of(byte[] bytes) {
    return new Payload() {
      @Override
      public long size() {
        return bytes.length;
      }

      @Override
      public <E extends Exception> void forEachChunk(Sink<E> sink) throws E {
        sink.take(ByteBuffer.wrap(bytes).asReadOnlyBuffer());
      }
    };
  }

  /** An array's elements; one that is a transposed view is laid out anew a few rows at a time. */
  static Payload of(NDArray array) {
    return of(array, CHUNK);
  }

  /**
   * @param chunk about how many bytes a piece has
   */
  static Payload of(NDArray array, long chunk) {
    return new Payload() {
      @Override
      public Payload transposed(Shape shape) {
        Payload plain = this;
        return new Payload() {
          @Override
          public long size() {
            return plain.size();
          }

          @Override
          public <E extends Exception> void forEachChunk(Sink<E> sink) throws E {
            try (Scope scope = Scope.open()) {
              of(array.transpose(), chunk).forEachChunk(sink);
            }
          }

          @Override
          public Payload transposed(Shape back) {
            return plain;
          }
        };
      }

      @Override
      public long size() {
        return array.size() * array.getDataType().getNumOfBytes();
      }

      @Override
      public <E extends Exception> void forEachChunk(Sink<E> sink) throws E {
        if (size() == 0) {
          return;
        }
        Shape shape = array.getShape();
        if (size() <= chunk || shape.dimension() == 0) {
          piece(array, sink);
          return;
        }
        long rows = shape.get(0);
        long step = Math.max(1, rows * chunk / size());
        for (long row = 0; row < rows; row += step) {
          try (Scope scope = Scope.open()) {
            NDArray part = array.get(row + ":" + Math.min(rows, row + step));
            if (size() / rows > chunk && shape.dimension() > 1) {
              of(part.squeeze(0), chunk).forEachChunk(sink); // a very long row is cut further
            } else {
              piece(part, sink);
            }
          }
        }
      }
    };
  }

  private static <E extends Exception> void piece(NDArray array, Sink<E> sink) throws E {
    try (Scope scope = Scope.open()) {
      sink.take(Buffers.view(array));
    }
  }
}
