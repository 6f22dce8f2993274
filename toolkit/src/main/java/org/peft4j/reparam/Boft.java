package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import java.util.Set;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Scalars;

/**
 * BOFT (Liu et al., arXiv 2311.06243): {@code W = diag(s) W0 R^T}, R a product of m butterfly
 * factors: orthogonal blocks {@code [b, b]}, {@code (I - Q) (I + Q)^-1} with Q the skew-symmetric
 * part of what is trained, between a shuffle of half blocks and its inverse. s is 1 and Q is 0 at
 * first.
 *
 * @param blockSize b, a divisor of the inputs; 0 to count blocks instead
 * @param blocks number of blocks, where {@code blockSize} is 0
 * @param factors m; the i-th factor, from 0, shuffles within {@code 2^i} blocks
 */
public record Boft(
    @Key("boft_block_size") int blockSize,
    @Key("boft_block_num") int blocks,
    @Key("boft_n_butterfly_factor") int factors)
    implements Rotation {
  private static final String R = "boft_R";
  private static final String S = "boft_s";

  /** Hugging Face's defaults: blocks of 4, one factor. */
  public Boft() {
    this(4, 0, 1);
  }

  public Boft {
    Checks.either("boft_block_size", blockSize, "boft_block_num", blocks);
    Checks.atLeast("boft_n_butterfly_factor", 1, factors);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "boft_dropout", 0.0);
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long in = Rotation.columns(site);
    Checks.divides("boft_block_size", Math.max(blockSize, blocks), "inputs of " + site.path(), in);
    long b = blockSize > 0 ? blockSize : in / blocks;
    long n = in / b;
    if (factors > 1) {
      Checks.divides("boft_block_size", 2, "itself", b);
      Checks.divides("2^(factors - 1)", 1L << (factors - 1), "blocks of " + site.path(), n);
    }
    boolean conv = site.kind() == Kind.CONV;
    theta.trained(R, new Shape(factors, n, b, b), Init.ZEROS);
    theta.trained(S, conv ? new Shape(1, site.out()) : new Shape(site.out(), 1), Init.ONES);
  }

  /** Blocks of the i-th factor. */
  private static NDArray factor(At at, int i) {
    NDArray d = at.theta(R).get(i);
    return Cayley.exact(Scalars.mul(d.sub(d.transpose(0, 2, 1)), 0.5));
  }

  /** Swaps the axes {@code [.., first, second, b / 2]} of every run of 2^i blocks. */
  private static NDArray shuffle(NDArray x, long b, long first, long second) {
    NDArray pieces = x.reshape(-1, first, second, b / 2);
    return pieces.transpose(0, 2, 1, 3).reshape(x.getShape());
  }

  /** {@code x P M P^T} of the i-th factor. */
  private static NDArray apply(NDArray x, NDArray m, int i) {
    if (i == 0) {
      return Rotation.blocks(x, m);
    }
    long b = m.getShape().get(1);
    NDArray inside = shuffle(x, b, 2, 1L << i);
    return shuffle(Rotation.blocks(inside, m), b, 1L << i, 2);
  }

  @Override
  public NDArray rotate(At at, NDArray x) {
    NDArray y = x;
    for (int i = factors - 1; i >= 0; i--) {
      y = apply(y, factor(at, i), i);
    }
    return y;
  }

  @Override
  public NDArray rotateBack(At at, NDArray x) {
    NDArray y = x;
    for (int i = 0; i < factors; i++) {
      y = apply(y, factor(at, i).transpose(0, 2, 1), i);
    }
    return y;
  }

  @Override
  public Weight effective(At at) {
    Weight w = Rotation.super.effective(at);
    NDArray matrix = w.weight().reshape(at.site().out(), -1).mul(at.theta(S).reshape(-1, 1));
    return new Weight(matrix.reshape(w.weight().getShape()), w.bias());
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    if (at.site().kind() != Kind.LINEAR) {
      return Rotation.super.forward(at, x);
    }
    NDArray y = at.frozenWithoutBias(rotate(at, x)).mul(at.theta(S).reshape(-1));
    NDArray b0 = at.b0();
    return b0 == null ? y : y.add(b0);
  }

  /** The options, for {@code Peft.boft(model)}. */
  public static final class Options<R> extends Keyed.Options<Boft, Options<R>, R> {
    private Options(Draft<Boft, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Boft(), target));
    }

    /** Size of the blocks, a divisor of the inputs; default 4. */
    public Options<R> blockSize(int size) {
      return set("boft_block_size", size);
    }

    /** Number of butterfly factors; default 1. */
    public Options<R> factors(int m) {
      return set("boft_n_butterfly_factor", m);
    }
  }
}
