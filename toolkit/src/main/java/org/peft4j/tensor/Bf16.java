package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * Weights of 16 bits (bfloat16: the upper half of a float32), kept as bytes {@code [..., 2 width]}
 * because DJL has no arrays of that type, and the linear map with them. PyTorch rounds the input to
 * bfloat16 too, so the product is right to about 2^-8 of the largest terms.
 */
public final class Bf16 {
  static final String LINEAR_SCRIPT =
      """
        def bf16_linear(self: __torch__.Ops,
          x: Tensor,
          weight: Tensor) -> Tensor:
          w = torch.view(weight, dtype=15)
          y = torch.linear(torch.to(x, 15), w)
          return torch.to(y, 6)
      """;

  private Bf16() {}

  /** The bytes of a float32 array's values rounded to the nearest bfloat16, ties to even. */
  public static NDArray pack(NDManager manager, NDArray values) {
    Shape s = values.getShape();
    int last = s.dimension() - 1;
    FloatBuffer from = Buffers.view(values).asFloatBuffer();
    return Buffers.create(
        manager,
        s.slice(0, last).add(2 * s.get(last)),
        DataType.UINT8,
        out -> {
          ByteBuffer to = out.order(ByteOrder.nativeOrder());
          while (from.hasRemaining()) {
            to.putShort(round(from.get()));
          }
        });
  }

  private static short round(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | 0x40);
    }
    int even = (bits >>> 16) & 1;
    return (short) ((bits + 0x7fff + even) >>> 16);
  }

  /** The float32 values of packed bytes. */
  public static NDArray unpack(NDManager manager, NDArray packed) {
    Shape s = packed.getShape();
    int last = s.dimension() - 1;
    ByteBuffer from = Buffers.view(packed);
    return Buffers.create(
        manager,
        s.slice(0, last).add(s.get(last) / 2),
        DataType.FLOAT32,
        out -> {
          while (from.remaining() >= Short.BYTES) {
            out.putFloat(Float.intBitsToFloat(from.getShort() << 16));
          }
        });
  }

  /**
   * {@code x W^T} of x {@code [..., in]}, float32, and packed W {@code [out, 2 in]}: float32 {@code
   * [..., out]}; differentiable in x.
   */
  public static NDArray linear(NDArray x, NDArray packed) {
    return TorchScript.runs(x, packed)
        ? TorchScript.call("bf16_linear", x, packed).singletonOrThrow()
        : plain(x, packed);
  }

  /** The definition: x as it is, times the unpacked weight. */
  public static NDArray plain(NDArray x, NDArray packed) {
    NDArray weight = unpack(x.getManager(), packed);
    return x.getNDArrayInternal().linear(x, weight, null).singletonOrThrow();
  }
}
