package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * OFT (Qiu et al., arXiv 2306.07280; Qiu et al., arXiv 2506.19847): {@code y = (x R) W0^T + b0}
 * with R of orthogonal blocks, each of a skew-symmetric Q {@code [b, b]} that is 0 at first: {@code
 * (I + Q) (I - Q)^-1} approximated by a Neumann series, or exactly {@code (I - Q) (I + Q)^-1}, its
 * transpose, as Hugging Face has them.
 *
 * @param blocks number of blocks, where {@code blockSize} is 0
 * @param blockSize b, or the divisor of the inputs nearest to it; 0 to count blocks instead
 * @param constrained whether Q stays within {@code epsilon / sqrt(blocks)} of 0 (COFT)
 * @param shared whether all blocks are the same
 */
public record Oft(
    @Key("r") int blocks,
    @Key("oft_block_size") int blockSize,
    @Key("coft") boolean constrained,
    @Key("eps") double epsilon,
    @Key("block_share") boolean shared,
    @Key("use_cayley_neumann") boolean neumann,
    @Key("num_cayley_neumann_terms") int terms)
    implements Rotation {
  private static final String R = "oft_R.weight";

  /** Hugging Face's defaults: blocks of 32, five terms of the series. */
  public Oft() {
    this(0, 32, false, 6e-5, false, true, 5);
  }

  public Oft {
    Checks.either("r", blocks, "oft_block_size", blockSize);
    Checks.finite("eps", epsilon);
  }

  static Oft fromConfig(Entries c) {
    String version = c.text("peft_version", "0").replaceFirst("^(\\d+\\.\\d+).*", "$1");
    if (!c.has("oft_block_size")) {
      throw new IllegalArgumentException(
          "oft_block_size: not there, so this was trained before PEFT 0.14, when OFT was another"
              + " method\nfix: train it anew");
    }
    boolean old = version.matches("0(\\.(\\d|1[0-7]))?");
    if (c.flag("use_cayley_neumann", true) && old) {
      throw new IllegalArgumentException(
          "peft_version: OFT's series was another one before PEFT 0.18\nfound: "
              + version
              + "\nfix: train it anew, or set use_cayley_neumann to false if it was trained so");
    }
    return Keyed.read(new Oft(), c);
  }

  /** Hugging Face takes the series of files without a version for an older one. */
  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "module_dropout", 0.0, "peft_version", "0.21.0");
  }

  private long size(Site site) {
    long in = site.in();
    return blockSize > 0 ? nearestDivisor(in, blockSize) : in / nearestDivisor(in, blocks);
  }

  private static long nearestDivisor(long n, long wanted) {
    for (long off = 0; off < wanted; off++) {
      if (n % (wanted - off) == 0) {
        return wanted - off;
      }
      if (wanted + off <= n && n % (wanted + off) == 0) {
        return wanted + off;
      }
    }
    return 1;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long b = size(site);
    theta.trained(R, new Shape(shared ? 1 : site.in() / b, Cayley.entries(b)), Init.ZEROS);
  }

  private NDArray rotations(At at) {
    long b = size(at.site());
    NDArray q = Cayley.skew(at.theta(R), b);
    if (constrained) {
      NDArray within = q;
      q = q.mul(at.constant("oft_constraint", () -> shrinking(within)));
    }
    NDArray r = neumann ? Cayley.neumann(q, terms) : Cayley.exact(q);
    return shared ? r.repeat(0, at.site().in() / b) : r;
  }

  /** What brings blocks back that are too far from 0, {@code [n, 1, 1]}. */
  private NDArray shrinking(NDArray q) {
    double most = epsilon / Math.sqrt(q.getShape().get(0));
    NDArray norm = q.norm(new int[] {1, 2}, true);
    NDArray far = norm.gt((float) most).toType(q.getDataType(), false);
    NDArray near = far.neg().add(1);
    NDArray inverse = norm.onesLike().div(norm.add(near));
    return near.add(far.mul(Scalars.mul(inverse, most)));
  }

  @Override
  public NDArray rotate(At at, NDArray x) {
    return Rotation.blocks(x, rotations(at));
  }

  @Override
  public NDArray rotateBack(At at, NDArray x) {
    return Rotation.blocks(x, rotations(at).transpose(0, 2, 1));
  }

  @Override
  public String summary() {
    return (blockSize > 0 ? "blocks of " + blockSize : blocks + " blocks")
        + (neumann ? "" : ", exact")
        + (shared ? ", all the same" : "")
        + (constrained ? ", within " + epsilon : "");
  }

  /** The options, for {@code Peft.oft(model)}. */
  public static final class Options<R> extends Keyed.Options<Oft, Options<R>, R> {
    private Options(Draft<Oft, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Oft(), target));
    }

    /** Size of the blocks; default 32, or the divisor of the inputs nearest to it. */
    public Options<R> blockSize(int size) {
      return set("oft_block_size", size);
    }

    /** Makes all blocks of a layer the same. */
    public Options<R> sharedBlocks() {
      return set("block_share", true);
    }

    /** Keeps every rotation small (COFT); default not. */
    public Options<R> constrained(double epsilon) {
      return set("coft", true).set("eps", epsilon);
    }

    /** Inverts matrices instead of summing a series: rotations are exact, and slower. */
    public Options<R> exact() {
      return set("use_cayley_neumann", false);
    }
  }
}
