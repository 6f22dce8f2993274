package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One value of a recorded graph, at the sizes of one trace. */
final class Value {
  enum Kind {
    INPUT,
    PARAMETER,
    /**
     * An array that stems from no input: made from Java data, or computed from such by an operation
     * ONNX lacks.
     */
    CONSTANT,
    /** A single number, of any type an operation asks for. */
    NUMBER,
    /** Sizes, axes and the like; what depends on the traced sizes is solved for. */
    INTEGERS,
    /** What a node computes. */
    RESULT,
    /** An optional operand that was left out. */
    ABSENT
  }

  final Kind kind;
  final int id;
  final String name;
  final Shape shape;
  final DataType type;
  final List<Value> sources;

  /** Whether it depends on the values of a graph input. */
  final boolean fed;

  private @Nullable NDArray real;
  private @Nullable Number number;
  private long[] integers = {};
  private @Nullable Fingerprint fingerprint;

  private Value(Kind kind, int id, String name, Shape shape, DataType type, List<Value> sources) {
    this.kind = kind;
    this.id = id;
    this.name = name;
    this.shape = shape;
    this.type = type;
    this.sources = sources;
    this.fed = kind == Kind.INPUT || sources.stream().anyMatch(s -> s.fed);
  }

  static Value array(Kind kind, int id, String name, NDArray real, List<Value> sources) {
    Value v = new Value(kind, id, name, real.getShape(), real.getDataType(), List.copyOf(sources));
    v.real = real;
    return v;
  }

  static Value number(int id, Number number, DataType type) {
    Value v = new Value(Kind.NUMBER, id, "", new Shape(), type, List.of());
    v.number = type.isFloating() ? (Number) number.doubleValue() : (Number) number.longValue();
    return v;
  }

  /** A vector of int64, or a single one without dimensions. */
  static Value integers(int id, boolean scalar, long... integers) {
    Value v =
        new Value(
            Kind.INTEGERS,
            id,
            "",
            scalar ? new Shape() : new Shape(integers.length),
            DataType.INT64,
            List.of());
    v.integers = integers.clone();
    return v;
  }

  static Value absent(int id) {
    return new Value(Kind.ABSENT, id, "", new Shape(), DataType.UNKNOWN, List.of());
  }

  /**
   * The array behind it; there is one while its trace is being recorded, later only in the first
   * trace.
   */
  NDArray real() {
    if (real == null) {
      throw new IllegalStateException("value " + id + " has no array");
    }
    return real;
  }

  long[] integers() {
    return integers;
  }

  boolean scalar() {
    return shape.dimension() == 0;
  }

  /** The single number that it is, or null. */
  @Nullable Number single() {
    return number != null ? number : fingerprint != null ? fingerprint.single() : null;
  }

  /** Remembers what a constant holds, for comparison between traces. */
  void seal() {
    if (kind == Kind.CONSTANT) {
      fingerprint = Fingerprint.of(real());
    }
  }

  /** Frees what will not be stored; of the first trace only what depends on an input. */
  void release(boolean all) {
    if (all) {
      real = null;
    } else if (fed && kind == Kind.RESULT && real != null) {
      real.close();
      real = null;
    }
  }

  /** What tells one constant from another that nothing was computed for. */
  String content() {
    return switch (kind) {
      case CONSTANT -> String.valueOf(fingerprint);
      case NUMBER -> type + " " + number;
      case INTEGERS -> shape + Arrays.toString(integers);
      default -> "value " + id;
    };
  }

  boolean sameContent(Value other) {
    return switch (kind) {
      case CONSTANT -> java.util.Objects.equals(fingerprint, other.fingerprint);
      case NUMBER -> java.util.Objects.equals(number, other.number);
      default -> true;
    };
  }
}
