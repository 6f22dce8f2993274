package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * DeLoRA (Bini et al., arXiv 2503.18225): {@code W = W0 + B D A diag(w)}, A {@code [r, in]}, B
 * {@code [out, r]} = 0 at first, {@code D_i = l / (r |A_i| |B_i|)} with a trained l, so that the
 * length of the change and its direction are apart, and w the lengths of the columns of W0.
 *
 * @param rank r
 * @param strength l at first
 * @param dropout probability on the input of the branch
 * @param rankPattern r by module
 * @param strengthPattern l by module
 */
public record DeLora(
    @Key("r") int rank,
    @Key("delora_lambda") double strength,
    @Key("module_dropout") double dropout,
    @Key(value = "rank_pattern", replaces = "r") Map<String, Integer> rankPattern,
    @Key(value = "lambda_pattern", replaces = "delora_lambda") Map<String, Double> strengthPattern)
    implements DropoutBranch {
  private static final String A = "delora_A";
  private static final String B = "delora_B";
  private static final String STRENGTH = "delora_lambda";
  private static final String COLUMNS = "delora_w_norm";

  /** No direction is shorter than this. */
  private static final double SHORTEST = 1e-4;

  /** Hugging Face's defaults: rank 8, strength 15. */
  public DeLora() {
    this(8, 15, 0, Map.of(), Map.of());
  }

  public DeLora {
    Checks.rank(rank);
    Checks.finite("delora_lambda", strength);
    Checks.probability("dropout", dropout);
    rankPattern = Patterns.ordered(rankPattern);
    strengthPattern = Patterns.ordered(strengthPattern);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    theta.trained(A, new Shape(rank, site.in()), Init.KAIMING);
    theta.trained(B, new Shape(site.out(), rank), Init.ZEROS);
    theta.trained(STRENGTH, new Shape(1), Init.constant(strength));
    theta.saved(COLUMNS, new Shape(site.in()), (c, shape) -> c.w0().norm(new int[] {0}));
  }

  private static NDArray lengths(NDArray x, int axis) {
    NDArray lengths = x.norm(new int[] {axis});
    return lengths.maximum(Scalars.of(lengths, SHORTEST));
  }

  @Override
  public NDArray delta(At at) {
    NDArray a = at.theta(A);
    NDArray b = at.theta(B);
    NDArray strengths = Scalars.div(at.theta(STRENGTH), rank);
    NDArray d = strengths.div(lengths(a, 1).mul(lengths(b, 0)));
    return b.mul(d).matMul(a).mul(at.theta(COLUMNS));
  }

  /** The options, for {@code Peft.deLora(model)}. */
  public static final class Options<R> extends Keyed.Options<DeLora, Options<R>, R> {
    private Options(Draft<DeLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new DeLora(), target));
    }

    /** r, at least 1; default 8. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** How far the weight may move at first, relative to its columns; default 15. */
    public Options<R> strength(double l) {
      return set("delora_lambda", l);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("module_dropout", p);
    }
  }
}
