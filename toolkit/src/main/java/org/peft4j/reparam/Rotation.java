package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import org.peft4j.spi.At;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * A method that turns a site's inputs before the frozen weight sees them: {@code y = (x R) W0^T +
 * b0}, so {@code W = W0 R^T}. The inputs of a convolution are those under its kernel.
 */
interface Rotation extends Keyed {
  /** {@code x R}, x {@code [..., in]}. */
  NDArray rotate(At at, NDArray x);

  /** {@code x R^T}, x {@code [..., in]}. */
  NDArray rotateBack(At at, NDArray x);

  /** Columns of the weight as a matrix. */
  static long columns(Site site) {
    return Ranks.matrix(site).get(1);
  }

  /** {@code x diag(M_1 ... M_n)}, x {@code [..., n b]}, blocks M {@code [n, b, b]}. */
  static NDArray blocks(NDArray x, NDArray m) {
    long n = m.getShape().get(0);
    long b = m.getShape().get(1);
    NDArray each = x.reshape(-1, n, b).transpose(1, 0, 2);
    return each.matMul(m).transpose(1, 0, 2).reshape(x.getShape());
  }

  @Override
  default Weight effective(At at) {
    NDArray w0 = at.w0();
    Shape shape = w0.getShape();
    NDArray rows = w0.reshape(shape.get(0), columns(at.site()));
    return new Weight(rotateBack(at, rows).reshape(shape), at.b0());
  }

  @Override
  default NDArray forward(At at, NDArray x) {
    return at.site().kind() == Kind.LINEAR ? at.frozen(rotate(at, x)) : Keyed.super.forward(at, x);
  }
}
