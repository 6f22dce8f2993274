package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Init;
import org.peft4j.spi.Sensitivity;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Svd;

/**
 * LoRA-GA (Wang et al., arXiv 2407.05000): with {@code G = U S Vh} the gradient of the loss by W0,
 * A is the rows 1 to r of Vh and B the columns r + 1 to 2r of {@code U S}, times {@code out^(1/4) /
 * sqrt(gamma)}; the base becomes W0 - s B A. The first step then changes W0 as full fine-tuning
 * would, as far as rank 2r goes.
 *
 * @param gamma above 0; the larger, the smaller B is
 */
record LoraGa(Sensitivity seen, double gamma) implements LoraStart {
  LoraGa {
    Checks.positive("stable_gamma", gamma);
  }

  private record Factors(NDArray a, NDArray b) {}

  private Factors factors(Init.Context c, Lora lora, Site site) {
    return c.once(
        "lora_ga",
        () -> {
          int r = lora.rank();
          Shape w = site.shape();
          if (2L * r > Math.min(w.get(0), w.get(1))) {
            throw new IllegalArgumentException(
                "rank\nexpected: at most half of the smaller side of "
                    + site
                    + " with init lora_ga\nfound: "
                    + r);
          }
          Svd svd = Svd.precise(seen.at(site));
          String second = r + ":" + 2 * r;
          NDArray b = svd.u().get(":, " + second).mul(svd.s().get(second));
          double scale = Math.pow(w.get(0), 0.25) / Math.sqrt(gamma);
          return new Factors(svd.vh().get(":" + r), Scalars.mul(b, scale));
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
    return "lora_ga";
  }

  @Override
  public String toString() {
    return "lora_ga (gamma " + Patterns.tidy(gamma) + ")";
  }
}
