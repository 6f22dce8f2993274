package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Turns pairs of features by an angle per position (arXiv 2104.09864), feature i with feature i +
 * d/2: {@code x cos + rotate(x) sin} with {@code rotate([a, b]) = [-b, a]}; x {@code [B, T, H, d]},
 * cos and sin {@code [B or 1, T, 1, d]}.
 */
public final class RotaryEmbedding {
  static final String SCRIPT =
      """
        def rotary(self: __torch__.Ops,
          x: Tensor,
          cos: Tensor,
          sin: Tensor) -> Tensor:
          half = torch.floordiv(torch.size(x, -1), 2)
          a = torch.narrow(x, -1, 0, half)
          b = torch.narrow(x, -1, half, half)
          turned = torch.cat([torch.neg(b), a], -1)
          return torch.add(torch.mul(x, cos), torch.mul(turned, sin))
      """;

  private RotaryEmbedding() {}

  /**
   * Turns every head of x {@code [B, T, heads d]}: fused where the arrays are PyTorch's own, as one
   * operator where a graph may have it, else {@link #plain}.
   */
  public static NDArray turn(NDArray x, int heads, NDArray cos, NDArray sin) {
    if (Composite.allowsContrib(x)) {
      return recorded(x, heads, cos, sin);
    }
    Shape s = x.getShape();
    NDArray each = x.reshape(s.get(0), s.get(1), heads, s.get(2) / heads);
    NDArray turned =
        TorchScript.runs(each, cos, sin)
            ? TorchScript.call("rotary", each, cos, sin).singletonOrThrow()
            : plain(each, cos, sin);
    return turned.reshape(s);
  }

  /** The operator reads rows of a table; its table here has one for every token there is. */
  private static NDArray recorded(NDArray x, int heads, NDArray cos, NDArray sin) {
    Shape s = x.getShape();
    long batch = cos.getShape().get(0);
    NDArray rows = x.getManager().arange(0, (int) (batch * s.get(1)), 1, DataType.INT64);
    NDArray each = rows.reshape(batch, s.get(1));
    return Composite.of(
            Composite.Operator.contrib("RotaryEmbedding", Map.of("num_heads", (long) heads)),
            in -> new NDList(turn(at(in, 0), heads, whole(at(in, 2), cos), whole(at(in, 3), cos))),
            x,
            batch == s.get(0) ? each : each.broadcast(s.get(0), s.get(1)),
            half(cos),
            half(sin))
        .head();
  }

  private static NDArray at(@Nullable NDArray[] inputs, int i) {
    return Objects.requireNonNull(inputs[i]);
  }

  /** {@code [B or 1, T, 1, d]} as {@code [B T or T, d/2]}: both halves are the same. */
  private static NDArray half(NDArray x) {
    Shape s = x.getShape();
    long half = s.get(3) / 2;
    return x.get(new NDIndex("..., :" + half)).reshape(s.get(0) * s.get(1), half);
  }

  private static NDArray whole(NDArray half, NDArray like) {
    Shape s = like.getShape();
    NDArray x = half.reshape(s.get(0), s.get(1), 1, s.get(3) / 2);
    return x.concat(x, -1);
  }

  /** The definition, of array operations only. */
  public static NDArray plain(NDArray x, NDArray cos, NDArray sin) {
    long half = x.getShape().get(3) / 2;
    NDArray first = x.get(new NDIndex("..., :" + half));
    NDArray second = x.get(new NDIndex("..., " + half + ":"));
    return x.mul(cos).add(second.neg().concat(first, -1).mul(sin));
  }
}
