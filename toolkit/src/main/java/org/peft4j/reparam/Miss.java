package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;

/**
 * MiSS (Kang and Yin, arXiv 2409.15371): {@code W = W0 + [D^T D^T ...]}, one D {@code [r, out]} = 0
 * repeated over the inputs, so that x is summed in groups of r; or D repeats {@code [r, m]} over
 * the outputs too (mini); or every {@code [r, r]} block of W0 becomes {@code W0 + W0 D + D}, with
 * one D for each r outputs (bat).
 *
 * @param rank r; 0 for 64 or the smallest number of inputs
 * @param miniRank m
 * @param dropout probability on the input of the branch
 */
public record Miss(
    @Key("r") int rank,
    @Key("mini_r") int miniRank,
    @Key("miss_dropout") double dropout,
    @Key("init_weights") Form form)
    implements DropoutBranch {
  private static final String D = "miss_block";
  private static final int USUAL = 64;

  /** What D is. */
  public enum Form {
    PLAIN("true"),
    MINI("mini"),
    BAT("bat"),
    /** Like plain, with random first values: not W0. */
    RANDOM("false");

    private final String text;

    Form(String text) {
      this.text = text;
    }

    @Override
    public String toString() {
      return text;
    }
  }

  /** Hugging Face's defaults: rank 64. */
  public Miss() {
    this(0, 1, 0, Form.PLAIN);
  }

  public Miss {
    Checks.atLeast("r", 0, rank);
    Checks.atLeast("mini_r", 1, miniRank);
    Checks.probability("dropout", dropout);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of();
  }

  @Override
  public Miss sized(List<Site> sites) {
    long most = sites.stream().mapToLong(Site::in).min().orElse(USUAL);
    return rank > 0 ? this : Keys.with(this, "r", (int) Math.min(USUAL, most));
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Checks.atMost("r", "inputs of " + site.path(), site.in(), rank);
    long out = site.out();
    switch (form) {
      case PLAIN -> theta.trained(D, new Shape(rank, out), Init.ZEROS);
      case RANDOM -> theta.trained(D, new Shape(rank, out), Init.KAIMING);
      case MINI -> {
        Checks.divides("mini_r", miniRank, "outputs of " + site.path(), out);
        theta.trained(D, new Shape(rank, miniRank), Init.ZEROS);
      }
      case BAT -> {
        Checks.divides("r", rank, "inputs of " + site.path(), site.in());
        Checks.divides("r", rank, "outputs of " + site.path(), out);
        theta.trained(D, new Shape(out / rank, rank, rank), Init.ZEROS);
      }
    }
  }

  @Override
  public NDArray delta(At at) {
    NDArray d = at.theta(D);
    long out = at.site().out();
    long in = at.site().in();
    if (form == Form.BAT) {
      NDArray blocks = at.w0().reshape(out / rank, rank, in / rank, rank).transpose(2, 0, 1, 3);
      return blocks.matMul(d).add(d).transpose(1, 2, 0, 3).reshape(out, in);
    }
    NDArray whole = form == Form.MINI ? d.tile(new long[] {1, out / miniRank}) : d;
    return whole.transpose().tile(new long[] {1, (in + rank - 1) / rank}).get(":, :{}", in);
  }

  @Override
  public String summary() {
    return (rank > 0 ? "rank " + rank : "rank up to 64")
        + (form == Form.MINI ? ", mini rank " + miniRank : form == Form.BAT ? ", bat" : "")
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.miss(model)}. */
  public static final class Options<R> extends Keyed.Options<Miss, Options<R>, R> {
    private Options(Draft<Miss, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Miss(), target));
    }

    /** r, a size of groups of inputs; default 64, or fewer for a layer that has fewer. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Blocks of W0 take part (Bat): r must divide inputs and outputs. */
    public Options<R> bat() {
      return set("init_weights", Form.BAT);
    }

    /** Repeats D over the outputs too, m of them; m must divide them. */
    public Options<R> mini(int m) {
      return set("mini_r", m).set("init_weights", Form.MINI);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("miss_dropout", p);
    }
  }
}
