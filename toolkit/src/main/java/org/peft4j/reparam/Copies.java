package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * Trained copies of a site's weight and bias, which stand in for them.
 *
 * @param weight what a file calls the weight
 * @param bias what a file calls the bias
 */
record Copies(String weight, String bias) {
  void declare(Site site, Declaration theta) {
    theta.trained(weight, site.shape(), (c, shape) -> c.w0());
    if (site.hasBias()) {
      theta.trained(bias, new Shape(site.frozen().biasSize()), (c, shape) -> c.b0());
    }
  }

  Weight effective(At at) {
    NDArray b = at.site().hasBias() ? at.theta(bias) : null;
    return new Weight(at.theta(weight), b);
  }
}
