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

/**
 * HiRA (Huang et al., ICLR 2025): {@code W = W0 + W0 o B A} (o: element by element), A {@code [r,
 * in]}, B {@code [out, r]} = 0 at first; for an embedding A = 0 and B normal.
 *
 * @param rank r
 * @param dropout probability on the input of the branch
 */
public record Hira(@Key("r") int rank, @Key("hira_dropout") double dropout)
    implements DropoutBranch {
  private static final String A = "hira_A";
  private static final String B = "hira_B";
  private static final String ROWS_A = "hira_embedding_A";
  private static final String ROWS_B = "hira_embedding_B";

  /** Hugging Face's defaults: rank 32. */
  public Hira() {
    this(32, 0);
  }

  public Hira {
    Checks.rank(rank);
    Checks.probability("dropout", dropout);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  /** Hugging Face 0.21 writes a pattern, but does not follow it. */
  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "rank_pattern", Map.of());
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.EMBEDDING);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Shape a = new Shape(rank, site.in());
    Shape b = new Shape(site.out(), rank);
    if (site.kind() == Kind.EMBEDDING) {
      theta.trained(ROWS_A, a, Init.ZEROS).trained(ROWS_B, b, Init.normal(1));
    } else {
      theta.trained(A, a, Init.KAIMING).trained(B, b, Init.ZEROS);
    }
  }

  @Override
  public NDArray delta(At at) {
    NDArray factors =
        at.site().kind() == Kind.EMBEDDING
            ? at.theta(ROWS_B).matMul(at.theta(ROWS_A)).transpose()
            : at.theta(B).matMul(at.theta(A));
    return at.w0().mul(factors);
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    return at.site().kind() == Kind.EMBEDDING
        ? at.map(x, delta(at), null)
        : DropoutBranch.super.branch(at, x);
  }

  /** The options, for {@code Peft.hira(model)}. */
  public static final class Options<R> extends Keyed.Options<Hira, Options<R>, R> {
    private Options(Draft<Hira, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Hira(), target));
    }

    /** r, at least 1; default 32. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("hira_dropout", p);
    }
  }
}
