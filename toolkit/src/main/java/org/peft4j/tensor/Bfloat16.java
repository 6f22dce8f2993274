package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;

/**
 * Weights kept as bfloat16, half of float32's memory: the upper 16 bits of a float32, rounded to
 * the nearest (ties to even). Products are those of float32 with the decoded weight. DJL knows the
 * type by name only: such an array may be kept, freed, saved and given to this class, and nothing
 * else.
 */
public final class Bfloat16 {
  /** The type that DJL has not asked PyTorch for yet; asking ends the JVM, so it is told. */
  private static final Field TYPE = type();

  private static Field type() {
    try {
      Field type = PtNDArray.class.getDeclaredField("dataType");
      type.setAccessible(true);
      return type;
    } catch (NoSuchFieldException e) {
      throw new IllegalStateException("bfloat16: not with this version of DJL", e);
    }
  }

  static final String ENCODE_SCRIPT =
      """
        def bf16_encode(self: __torch__.Ops,
          values: Tensor) -> Tensor:
          return torch.to(values, 15)
      """;

  /** Numbers that are decoded at once for a product with one row; they stay in the cache. */
  private static final int TOGETHER = 384 * 1024;

  /**
   * A product with one row. As much of the weight as {@code scratch} holds is decoded at a time,
   * into memory that the processor has in its cache. A float32 weight is taken as it is.
   */
  static final String ROW_SCRIPT =
      """
        def row_product(self: __torch__.Ops,
          weight: Tensor,
          x: Tensor,
          scratch: Tensor) -> Tensor:
          if torch.eq(ops.prim.dtype(weight), 6):
            y = torch.mv(weight, x)
          else:
            rows = torch.size(weight, 0)
            width = torch.size(weight, 1)
            step = torch.floordiv(torch.numel(scratch), width)
            if torch.eq(step, 0):
              y = torch.mv(torch.to(weight, 6), x)
            else:
              y = torch.zeros([rows])
              for i in range(torch.floordiv(torch.sub(torch.add(rows, step), 1), step)):
                start = torch.mul(i, step)
                n = ops.prim.min(step, torch.sub(rows, start))
                part = torch.view(torch.narrow(scratch, 0, 0, torch.mul(n, width)), [n, width])
                _0 = torch.copy_(part, torch.narrow(weight, 0, start, n))
                _1 = torch.addmv_(torch.narrow(y, 0, start, n), part, x)
          return y
      """;

  static final String LINEAR_SCRIPT =
      """
        def bf16_linear(self: __torch__.Ops,
          x: Tensor,
          weight: Tensor) -> Tensor:
          alone = torch.eq(torch.numel(x), torch.size(weight, 1))
          if torch.__and__(alone, torch.__not__(ops.prim.requires_grad(x))):
            shape = torch.add(torch.slice(torch.size(x), 0, -1), [torch.size(weight, 0)])
            scratch = torch.zeros([TOGETHER])
            y = torch.reshape((self).row_product(weight, torch.reshape(x, [-1]), scratch), shape)
          else:
            y = torch.linear(x, torch.to(weight, 6))
          return y
      """
          .replace("TOGETHER", String.valueOf(TOGETHER));

  static final String ROWS_SCRIPT =
      """
        def bf16_rows(self: __torch__.Ops,
          weight: Tensor,
          ids: Tensor) -> Tensor:
          return torch.to(torch.embedding(weight, ids), 6)
      """;

  static final String DECODE_SCRIPT =
      """
        def bf16_decode(self: __torch__.Ops,
          weight: Tensor) -> Tensor:
          return torch.to(weight, 6)
      """;

  private Bfloat16() {}

  /** Memory for {@link #ROW_SCRIPT}, of the same manager as {@code like}. */
  static NDArray scratch(NDArray like) {
    return like.getManager().zeros(new Shape(TOGETHER));
  }

  /** Whether an array is one that {@link #encode} made. */
  public static boolean is(NDArray array) {
    return array.getDataType() == DataType.BFLOAT16;
  }

  /** A new bfloat16 array of {@code owner} with the rounded values of a float32 array. */
  public static NDArray encode(NDManager owner, NDArray values) {
    if (values.getDataType() != DataType.FLOAT32) {
      throw new IllegalArgumentException(
          "bfloat16: expected float32 values, found " + values.getDataType());
    }
    NDArray out = TorchScript.call("bf16_encode", values).singletonOrThrow();
    try {
      TYPE.set(out, DataType.BFLOAT16);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
    return Scope.giveTo(owner, out);
  }

  /** The values as float32. */
  public static NDArray decode(NDArray weight) {
    return TorchScript.call("bf16_decode", weight).singletonOrThrow();
  }

  /** {@code x W^T}, x {@code [..., in]} float32, bfloat16 W {@code [out, in]}. */
  public static NDArray linear(NDArray x, NDArray weight) {
    return TorchScript.call("bf16_linear", x, weight).singletonOrThrow();
  }

  /** The definition of {@link #linear}, of array operations only. */
  static NDArray plain(NDArray x, NDArray weight) {
    NDArray dense = plainDecode(weight.getManager(), weight);
    return x.getNDArrayInternal().linear(x, dense, null).singletonOrThrow();
  }

  /**
   * Rows of bfloat16 W {@code [entries, dim]} at integer ids {@code [...]}, as float32 {@code [...,
   * dim]}.
   */
  public static NDArray rows(NDArray weight, NDArray ids) {
    return TorchScript.call("bf16_rows", weight, ids).singletonOrThrow();
  }

  /** The definition of {@link #decode}: the bits with 16 zeros behind them. */
  static NDArray plainDecode(NDManager owner, NDArray weight) {
    Shape shape = weight.getShape();
    ByteBuffer in = Buffers.view(weight).order(ByteOrder.nativeOrder());
    return Buffers.create(
        owner,
        shape,
        DataType.FLOAT32,
        bytes -> {
          FloatBuffer out = bytes.asFloatBuffer();
          ShortBuffer bits = in.asShortBuffer();
          while (bits.hasRemaining()) {
            out.put(Float.intBitsToFloat(bits.get() << 16));
          }
        });
  }
}
