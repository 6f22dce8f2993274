package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.function.LongUnaryOperator;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Seed;

/** How values for an input are made, to trace and to compare with; the same ones every time. */
@FunctionalInterface
public interface Sample {
  /** An array of the shape and type asked for, attached to the manager given. */
  NDArray draw(Draw draw);

  /**
   * What is asked for.
   *
   * @param sizes of the named dimensions
   */
  record Draw(NDManager manager, Shape shape, DataType type, Map<String, Long> sizes, Seed seed) {}

  /** What suits a type: normal numbers, or zeros and ones. */
  static Sample of(DataType type) {
    return type.isFloating() ? normal() : below(2);
  }

  /** Normal, of mean 0 and deviation 1. */
  static Sample normal() {
    return d -> {
      NDArray x = d.seed().normal(d.manager(), d.shape(), 1);
      return x.toType(d.type(), false);
    };
  }

  /**
   * Whole numbers from 0 up to, not including, {@code bound}: token ids below a vocabulary's size.
   */
  static Sample below(long bound) {
    if (bound < 1 || bound > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("the bound must be from 1 to 2^31 - 1, was " + bound);
    }
    return d -> integers(d, i -> d.seed().below(i, (int) bound));
  }

  /** Ones. */
  static Sample ones() {
    return d -> integers(d, i -> 1);
  }

  /** Zeros. */
  static Sample zeros() {
    return d -> integers(d, i -> 0);
  }

  /** Ones, ended by up to half a row of zeros, in all rows but the first. */
  static Sample mask() {
    return d -> {
      long length = length(d.shape());
      return integers(d, i -> i % length < length - padding(d, i / length, length) ? 1 : 0);
    };
  }

  /** Ones, preceded by up to half a row of zeros, in all rows but the first. */
  static Sample leftMask() {
    return d -> {
      long length = length(d.shape());
      return integers(d, i -> i % length < padding(d, i / length, length) ? 0 : 1);
    };
  }

  /** 0, 1, 2 ... along the last axis. */
  static Sample positions() {
    return d -> integers(d, i -> i % length(d.shape()));
  }

  /** p, p + 1, p + 2 ... along the last axis, p being the size of the dimension {@code past}. */
  static Sample positions(String past) {
    Dim start = Dim.of(past);
    return d -> integers(d, i -> start.at(d.sizes()) + i % length(d.shape()));
  }

  private static long padding(Draw d, long row, long length) {
    return row == 0 ? 0 : d.seed().below(row, (int) (length / 2) + 1);
  }

  private static long length(Shape shape) {
    return Math.max(1, shape.dimension() == 0 ? 1 : shape.get(shape.dimension() - 1));
  }

  private static NDArray integers(Draw d, LongUnaryOperator value) {
    boolean floats = d.type().isFloating();
    DataType type = floats ? DataType.INT64 : d.type();
    NDArray x =
        Buffers.create(
            d.manager(),
            d.shape(),
            type,
            out -> {
              for (long i = 0; i < d.shape().size(); i++) {
                put(out, type.getNumOfBytes(), value.applyAsLong(i));
              }
            });
    return floats ? x.toType(d.type(), false) : x;
  }

  private static void put(ByteBuffer out, int bytes, long value) {
    switch (bytes) {
      case 8 -> out.putLong(value);
      case 4 -> out.putInt((int) value);
      case 2 -> out.putShort((short) value);
      default -> out.put((byte) value);
    }
  }
}
