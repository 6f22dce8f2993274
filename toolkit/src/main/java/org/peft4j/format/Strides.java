package org.peft4j.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import org.peft4j.format.TensorPickle.Strided;

/** Tensors that lie in their storage in another order than row by row. */
final class Strides {
  private Strides() {}

  /**
   * Checks that a view stays within its storage and has no more elements than that.
   *
   * @throws IllegalArgumentException with a fragment of a sentence
   */
  static void requireWithin(Strided view) {
    List<Long> shape = view.shape();
    if (shape.size() != view.strides().size() || view.offset() < 0) {
      throw new IllegalArgumentException(
          "expected one stride per dimension and an offset of at least 0, found "
              + view.strides()
              + " for "
              + shape
              + " at "
              + view.offset());
    }
    long last = last(view);
    long elements = view.storage().elements();
    if (last >= elements) {
      throw new IllegalArgumentException(
          "expected elements within a storage of " + elements + ", found one beyond");
    }
    if (size(shape) > elements) {
      throw new IllegalArgumentException(
          "expected at most the " + elements + " elements of its storage, found " + shape);
    }
  }

  /**
   * The place of the last element, or -1 when there is none; {@link Long#MAX_VALUE} on overflow.
   */
  private static long last(Strided view) {
    long last = view.offset();
    for (int i = 0; i < view.shape().size(); i++) {
      long n = view.shape().get(i);
      long stride = view.strides().get(i);
      if (n == 0) {
        return -1;
      }
      if ((n > 1 && stride < 0) || Math.multiplyHigh(n - 1, stride) != 0 || (n - 1) * stride < 0) {
        return Long.MAX_VALUE;
      }
      last += (n - 1) * stride;
      if (last < 0) {
        return Long.MAX_VALUE;
      }
    }
    return last;
  }

  private static long size(List<Long> shape) {
    return shape.stream().mapToLong(Long::longValue).reduce(1, (a, b) -> a * b);
  }

  /** Whether the elements, if there are any, lie row by row without gaps. */
  static boolean contiguous(Strided view) {
    if (view.shape().contains(0L)) {
      return true;
    }
    long expected = 1;
    for (int i = view.shape().size() - 1; i >= 0; i--) {
      long n = view.shape().get(i);
      if (n > 1 && view.strides().get(i) != expected) {
        return false;
      }
      expected *= n;
    }
    return true;
  }

  /** The view's elements row by row, as bytes. */
  static ByteBuffer gather(Path file, Strided view, Elements.Source storage) throws IOException {
    int width = view.storage().type().width();
    long span = (last(view) - view.offset() + 1) * width;
    if (span > Integer.MAX_VALUE - 8) {
      throw Malformed.of(
          file,
          "a tensor in another order than row by row",
          "at most 2 GB",
          span + " bytes",
          "save tensor.contiguous()");
    }
    ByteBuffer from = ByteBuffer.allocate((int) span).order(ByteOrder.LITTLE_ENDIAN);
    storage.read(view.offset() * width, from);
    int rank = view.shape().size();
    int count = Math.toIntExact(size(view.shape()));
    ByteBuffer to = ByteBuffer.allocate(count * width).order(ByteOrder.LITTLE_ENDIAN);
    long[] index = new long[rank];
    int[] strides = new int[rank];
    for (int d = 0;
        d < rank;
        d++) { // the stride of a single row is never used, and may be anything
      strides[d] = view.shape().get(d) == 1 ? 0 : Math.toIntExact(view.strides().get(d));
    }
    int at = 0; // the element that index stands at
    for (int i = 0; i < count; i++) {
      for (int b = 0; b < width; b++) {
        to.put(from.get(at * width + b));
      }
      for (int d = rank - 1; d >= 0; d--) {
        at += strides[d];
        if (++index[d] < view.shape().get(d)) {
          break;
        }
        at -= Math.toIntExact(index[d] * strides[d]);
        index[d] = 0;
      }
    }
    return to.flip();
  }
}
