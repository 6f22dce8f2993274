package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;

/**
 * A reparameterisation that adds to the weight: {@code W = W0 + delta(theta)}. Several may be
 * active at one site, and they can be combined.
 */
public interface Additive extends Reparam {
  /** What is added to the weight, in its shape. */
  NDArray delta(At at);

  /** What is added to the bias, or null. */
  default @Nullable NDArray biasDelta(At at) {
    return null;
  }

  /** What is added to the site's output on x. */
  default NDArray branch(At at, NDArray x) {
    return at.map(x, delta(at), biasDelta(at));
  }

  @Override
  default Weight effective(At at) {
    NDArray b0 = at.b0();
    NDArray db = biasDelta(at);
    return new Weight(at.w0().add(delta(at)), db == null ? b0 : b0 == null ? db : b0.add(db));
  }

  @Override
  default NDArray forward(At at, NDArray x) {
    return at.frozen(x).add(branch(at, x));
  }
}
