package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import java.util.Locale;
import org.peft4j.quant.Storages;
import org.peft4j.spi.Calibration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Sensitivity;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Qr;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Svd;

/**
 * How LoRA's A {@code [r, in]} and B {@code [out, r]} start, in Hugging Face's words {@code
 * init_lora_weights}.
 */
public enum LoraInit implements LoraStart {
  /** A uniform in {@code +-1/sqrt(in)}, B = 0: starts at W0. */
  KAIMING,
  /** A normal with deviation 1/r, B = 0: starts at W0. */
  GAUSSIAN,
  /** A and B both uniform: does not start at W0; for tests. */
  RANDOM,
  /**
   * The r largest singular directions of W0 (arXiv 2404.02948): {@code A = sqrt(S / s) Vh, B = U
   * sqrt(S / s)}; the base becomes the residual W0 - s B A, so that the start is W0.
   */
  PISSA,
  /** QR of W0 (arXiv 2406.01775): B = Q[:, :r], A = R[:r]; the base becomes W0 - s B A. */
  OLORA,
  /**
   * A and B from disjoint rows of a random orthogonal matrix: neither is zero, their product is. r
   * is even.
   */
  ORTHOGONAL;

  /** {@link #eva(Calibration, double)} with at most twice its rank to a site. */
  public static LoraStart eva(Calibration seen) {
    return eva(seen, 2);
  }

  /**
   * A from the principal components of the site's inputs, B = 0, ranks where the inputs vary most
   * (EVA, arXiv 2410.07170).
   *
   * @param seen inputs of the sites, such as {@code Peft.calibrate(model, texts)}
   * @param rho how many times its rank a site may get, at least 1
   */
  public static LoraStart eva(Calibration seen, double rho) {
    return new Eva(seen, rho);
  }

  /**
   * A and B from the directions of W0 that the site's inputs use most (CorDA, arXiv 2406.05223), to
   * learn the task that the inputs come from. What is saved is a plain LoRA of twice the rank.
   */
  public static LoraStart corda(Calibration seen) {
    return new Corda(seen, false);
  }

  /**
   * A and B from the directions of W0 that the site's inputs use least, to keep what the model
   * knows of them. What is saved is a plain LoRA of twice the rank.
   */
  public static LoraStart cordaKeeping(Calibration seen) {
    return new Corda(seen, true);
  }

  /** {@link #loraGa(Sensitivity, double)} with gamma 16. */
  public static LoraStart loraGa(Sensitivity seen) {
    return loraGa(seen, 16);
  }

  /**
   * A and B from the gradient of the loss by W0, so that the first step is like one of full
   * fine-tuning (LoRA-GA, arXiv 2407.05000). What is saved is a plain LoRA of twice the rank.
   *
   * @param seen gradients by the sites' weights, such as {@code Peft.gradients(model, rows)}
   * @param gamma above 0; the larger, the smaller the start of B
   */
  public static LoraStart loraGa(Sensitivity seen, double gamma) {
    return new LoraGa(seen, gamma);
  }

  /** {@link #loftq(String, int)} in NF4 and one round. */
  public static LoraStart loftq() {
    return loftq("nf4", 1);
  }

  /**
   * A quantised base, and A and B that make up for most of what it lost (LoftQ, arXiv 2310.08659).
   *
   * @param storage of the base, such as {@code nf4}
   * @param rounds of quantising and approximating, at least 1
   */
  public static LoraStart loftq(String storage, int rounds) {
    return new Loftq(Storages.byName(storage), rounds);
  }

  @Override
  public boolean shifts() {
    return this == PISSA || this == OLORA;
  }

  @Override
  public boolean needsMatrix() {
    return shifts() || this == ORTHOGONAL;
  }

  @Override
  public Init a(Lora lora, Site site) {
    return switch (this) {
      case KAIMING, RANDOM -> Init.KAIMING;
      case GAUSSIAN -> Init.normal(1.0 / lora.rank());
      case PISSA -> (c, shape) -> pissa(c, lora).a;
      case OLORA -> (c, shape) -> olora(c, lora).a;
      case ORTHOGONAL -> (c, shape) -> orthogonal(c, lora, shape.get(1), true);
    };
  }

  @Override
  public Init b(Lora lora, Site site) {
    return switch (this) {
      case KAIMING, GAUSSIAN -> Init.ZEROS;
      case RANDOM -> Init.KAIMING;
      case PISSA -> (c, shape) -> pissa(c, lora).b;
      case OLORA -> (c, shape) -> olora(c, lora).b;
      case ORTHOGONAL -> (c, shape) -> orthogonal(c, lora, shape.get(0), false);
    };
  }

  private record Factors(NDArray a, NDArray b) {}

  private static Factors pissa(Init.Context c, Lora lora) {
    return c.once(
        "pissa",
        () -> {
          Svd svd = Svd.precise(c.w0());
          int r = atMost(lora.rank(), c.w0().getShape());
          NDArray root = Scalars.div(svd.s().get(":{}", r), lora.scale()).sqrt();
          NDArray a = root.expandDims(1).mul(svd.vh().get(":{}", r));
          NDArray b = svd.u().get(":, :{}", r).mul(root.expandDims(0));
          return new Factors(a, b);
        });
  }

  private static Factors olora(Init.Context c, Lora lora) {
    return c.once(
        "olora",
        () -> {
          Qr qr = Qr.of(c.w0());
          int r = atMost(lora.rank(), c.w0().getShape());
          return new Factors(qr.r().get(":{}", r), qr.q().get(":, :{}", r));
        });
  }

  static int atMost(int rank, Shape w) {
    long most = Math.min(w.get(0), w.get(1));
    if (rank > most) {
      throw new IllegalArgumentException(
          "rank: at most " + most + " for a weight of shape " + w + " with this init, was " + rank);
    }
    return rank;
  }

  private static NDArray orthogonal(Init.Context c, Lora lora, long size, boolean a) {
    int r = lora.rank();
    if (r % 2 != 0) {
      throw new IllegalArgumentException("rank: must be even for init orthogonal, was " + r);
    }
    NDArray q =
        c.once(
            "orthogonal",
            () -> Qr.of(c.seed().at("q").normal(c.manager(), new Shape(r, r), 1)).q());
    NDArray rows = q.get(new NDIndex(a ? "1::2" : "0::2")); // [r/2, r]
    NDArray random = c.seed().at(a ? "a" : "b").normal(c.manager(), new Shape(size, r / 2), 1);
    NDArray x = Scalars.div(random.matMul(rows), 10); // [size, r]
    return a ? x.transpose() : x;
  }

  @Override
  public Object toConfig() {
    return switch (this) {
      case KAIMING -> true;
      case RANDOM -> false;
      default -> name().toLowerCase(Locale.ROOT);
    };
  }

  static LoraInit fromConfig(Object value) {
    if (value instanceof Boolean b) {
      return b ? KAIMING : RANDOM;
    }
    String s = value.toString().toLowerCase(Locale.ROOT);
    if (s.startsWith("pissa_niter_")) {
      return PISSA; // the same factors, here from the exact decomposition
    }
    if (s.equals("eva") || s.equals("mica")) {
      return KAIMING; // the values are the file's
    }
    if (s.equals("corda") || s.equals("lora_ga")) {
      throw new IllegalArgumentException(
          "init_lora_weights\nexpected: a start that W0 and a seed give again\nfound: "
              + s
              + ", whose base comes from data\n"
              + "fix: save it as a plain LoRA; Hugging Face PEFT does so by path_initial_model_for_weight_conversion");
    }
    for (LoraInit init : values()) {
      if (init.toConfig().equals(s)) {
        return init;
      }
    }
    throw new IllegalArgumentException(
        "init_lora_weights\nexpected: true, false, gaussian, pissa, olora, orthogonal or loftq\nfound: "
            + value);
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
