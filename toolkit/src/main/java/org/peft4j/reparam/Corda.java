package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.peft4j.spi.Calibration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Svd;

/**
 * CorDA (Yang et al., arXiv 2406.05223): with C the second moments of the site's inputs (1 % of
 * their mean added on the diagonal), {@code U S Vh = svd(W0 C)}, {@code A = sqrt(S / s) Vh C^-1},
 * {@code B = U sqrt(S / s)}; the base becomes W0 - s B A. The r largest directions learn the task
 * that the inputs come from; the r smallest leave what the inputs need in the base.
 *
 * @param keeps whether it takes the smallest directions, to keep what the model knows
 */
record Corda(Calibration seen, boolean keeps) implements LoraStart {
  private static final double DAMPING = 0.01;

  private record Factors(NDArray a, NDArray b) {}

  private Factors factors(Init.Context c, Lora lora, Site site) {
    return c.once(
        "corda",
        () -> {
          Shape w = site.shape();
          long most = Math.min(w.get(0), w.get(1));
          int r = lora.rank();
          if (r > most) {
            throw new IllegalArgumentException(
                "rank: at most "
                    + most
                    + " for a weight of shape "
                    + w
                    + " with this init, was "
                    + r);
          }
          NDArray seconds = seen.at(site).perText();
          NDArray one = seconds.getManager().eye((int) w.get(1)).toType(DataType.FLOAT64, false);
          double mean = seconds.mul(one).sum().getDouble() / w.get(1);
          NDArray damped = seconds.add(Scalars.mul(one, mean * DAMPING));
          Svd svd = Svd.of(c.w0().toType(DataType.FLOAT64, false).matMul(damped));
          String chosen = keeps ? (most - r) + ":" : ":" + r;
          NDArray root = Scalars.div(svd.s().get(chosen), lora.scale()).sqrt();
          NDArray v = svd.vh().get(chosen).matMul(damped.inverse());
          NDArray a = root.expandDims(1).mul(v);
          NDArray b = svd.u().get(":, " + chosen).mul(root.expandDims(0));
          return new Factors(a.toType(DataType.FLOAT32, false), b.toType(DataType.FLOAT32, false));
        });
  }

  @Override
  public Init a(Lora lora, Site site) {
    return (c, shape) -> factors(c, lora, site).a;
  }

  @Override
  public Init b(Lora lora, Site site) {
    return (c, shape) -> factors(c, lora, site).b;
  }

  @Override
  public boolean shifts() {
    return true;
  }

  @Override
  public boolean fromData() {
    return true;
  }

  @Override
  public Object toConfig() {
    return "corda";
  }

  @Override
  public String toString() {
    return keeps ? "corda (keeping knowledge)" : "corda";
  }
}
