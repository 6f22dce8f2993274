package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;

/**
 * A copy of a bfloat16 weight in half precision (float16), laid out for PyTorch's products with
 * float32 rows, which sum in float32 (FBGEMM, on x86-64). What bfloat16 holds is held exactly from
 * 2<sup>-17</sup> to 65504 in size; smaller numbers are rounded to multiples of 2<sup>-24</sup>.
 */
public final class HalfProduct {
  static final String TYPE = "__torch__.torch.classes.quantized.LinearPackedParamsBase";

  static final String PACK_SCRIPT =
      """
        def half_pack(self: __torch__.Ops,
          weight: Tensor) -> TYPE:
          return ops.quantized.linear_prepack_fp16(torch.to(weight, 6), None)
      """
          .replace("TYPE", TYPE);

  static final String LINEAR_SCRIPT =
      """
        def half_linear(self: __torch__.Ops,
          x: Tensor,
          packed: TYPE) -> Tensor:
          return ops.quantized.linear_dynamic_fp16(x, packed)
      """
          .replace("TYPE", TYPE);

  private static final float LARGEST = 65504;

  private final NDArray source;
  private final IValue packed;

  private HalfProduct(NDArray source, IValue packed) {
    this.source = source;
    this.packed = packed;
  }

  /**
   * A copy of a weight.
   *
   * @param weight bfloat16 {@code [out, in]}
   * @param owner with which it is freed
   * @throws IllegalStateException where the weight has larger numbers than half precision has, or
   *     this machine's PyTorch has no such products
   */
  public static HalfProduct of(NDManager owner, NDArray weight) {
    try (Scope scope = Scope.open()) {
      float largest = Bfloat16.decode(weight).abs().max().getFloat();
      if (!(largest <= LARGEST)) {
        throw new IllegalStateException(
            "prepack\nexpected: weights of up to 65504 in size, as half precision has them\nfound: "
                + largest);
      }
    }
    IValue packed;
    try {
      packed = TorchScript.value("half_pack", IValue.from((PtNDArray) weight));
    } catch (RuntimeException e) {
      throw new IllegalStateException(
          "prepack\nexpected: a processor for which PyTorch has half-precision products (x86-64)\n"
              + "found: "
              + e.getMessage(),
          e);
    }
    owner.attachInternal(packed.getUid(), packed);
    return new HalfProduct(weight, packed);
  }

  /** Whether it is still there, and a copy of this array. */
  public boolean isOf(NDArray weight) {
    return source == weight && !packed.isReleased();
  }

  /** {@code x W^T} without gradients, x {@code [..., in]} float32. */
  public NDArray linear(NDArray x) {
    IValue argument = IValue.from((PtNDArray) x);
    try (argument;
        IValue y = IValueUtils.runMethod(TorchScript.ready(), "half_linear", argument, packed)) {
      return TorchScript.array(y, x.getManager());
    }
  }

  IValue packed() {
    return packed;
  }
}
