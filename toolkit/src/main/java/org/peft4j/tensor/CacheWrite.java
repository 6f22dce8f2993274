package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;

/**
 * Rows written into the middle of a buffer along axis 2, in place, and a view of what is filled.
 */
public final class CacheWrite {
  static final String SCRIPT =
      """
        def cache_write(self: __torch__.Ops,
          buffer: Tensor,
          x: Tensor,
          position: Tensor) -> Tensor:
          at = int(position)
          n = torch.size(x, 2)
          _0 = torch.copy_(torch.narrow(buffer, 2, at, n), x)
          return torch.narrow(buffer, 2, 0, torch.add(at, n))
      """;

  private CacheWrite() {}

  /**
   * Writes {@code x} {@code [B, H, n, d]} into {@code buffer} {@code [B, H, capacity, d]} from row
   * {@code position} on.
   *
   * @return the first {@code position + n} rows of the buffer, a view
   */
  public static NDArray append(NDArray buffer, NDArray x, long position) {
    NDArray at = Buffers.create(x.getManager(), new long[] {position}, new Shape());
    return TorchScript.call("cache_write", buffer, x, at).singletonOrThrow();
  }
}
