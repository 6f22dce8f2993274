package org.peft4j.tensor;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Arrays seen as the bytes they are. {@code NDManager.create(data)} keeps the array's memory in a
 * Java buffer that dies with the array's handle, under the feet of its views; arrays made here own
 * their memory as PyTorch's own do.
 */
public final class Buffers {
  private static final Set<DataType> UNSUPPORTED =
      Set.of(DataType.BFLOAT16, DataType.INT16, DataType.UINT16, DataType.UINT32, DataType.UINT64);

  private Buffers() {}

  /**
   * A new CPU array whose bytes (native order) {@code fill} writes, from position 0 up to the
   * limit.
   */
  public static NDArray create(
      NDManager manager, Shape shape, DataType type, Consumer<ByteBuffer> fill) {
    if (UNSUPPORTED.contains(type)) {
      throw new IllegalArgumentException(
          type
              + " arrays cannot be made through DJL (it would abort the JVM); use float32 or int32");
    }
    NDArray array = manager.create(shape, type, Device.cpu());
    if (shape.size() > 0) {
      fill.accept(array.toByteBuffer(true).order(ByteOrder.nativeOrder()));
    }
    return array;
  }

  /** A new float32 array that holds a copy of {@code values}. */
  public static NDArray create(NDManager manager, float[] values, Shape shape) {
    requireSize(values.length, shape);
    return create(manager, shape, DataType.FLOAT32, b -> b.asFloatBuffer().put(values));
  }

  /** A new float64 array that holds a copy of {@code values}. */
  public static NDArray create(NDManager manager, double[] values, Shape shape) {
    requireSize(values.length, shape);
    return create(manager, shape, DataType.FLOAT64, b -> b.asDoubleBuffer().put(values));
  }

  /** A new int64 array that holds a copy of {@code values}. */
  public static NDArray create(NDManager manager, long[] values, Shape shape) {
    requireSize(values.length, shape);
    return create(manager, shape, DataType.INT64, b -> b.asLongBuffer().put(values));
  }

  /**
   * The array's bytes in native order, without a copy where it is contiguous; valid while the array
   * is open.
   */
  public static ByteBuffer view(NDArray array) {
    return array.toByteBuffer(true).order(ByteOrder.nativeOrder());
  }

  /** A new contiguous array of {@code manager} with the same values. */
  public static NDArray copyOf(NDManager manager, NDArray array) {
    return create(manager, array.getShape(), array.getDataType(), out -> out.put(view(array)));
  }

  /**
   * Overwrites {@code to}, which is contiguous and of the same shape and type, with the values of
   * {@code from}. Gradients do not notice. (DJL's own {@code copyTo} makes PyTorch print a
   * warning.)
   */
  public static void copy(NDArray from, NDArray to) {
    if (!from.getShape().equals(to.getShape()) || from.getDataType() != to.getDataType()) {
      throw new IllegalArgumentException(
          "copy: expected "
              + to.getShape()
              + " "
              + to.getDataType()
              + ", found "
              + from.getShape()
              + " "
              + from.getDataType());
    }
    if (to.size() > 0) {
      view(to).put(view(from));
    }
  }

  private static void requireSize(int n, Shape shape) {
    if (n != shape.size()) {
      throw new IllegalArgumentException(n + " values do not fill an array of shape " + shape);
    }
  }
}
