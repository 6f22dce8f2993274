package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.Set;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Seed;

/**
 * SBoRA (Po et al., arXiv 2407.05413): LoRA one of whose factors is r distinct standard basis
 * vectors, so that only r columns of W change (FA: A is frozen, B trained) or r rows (FB: B is
 * frozen, A trained). Both start at W0. Tasks that take different parts of one permutation change
 * different columns or rows, so that their merges do not touch each other (Multi-SBoRA). What is
 * saved is a LoRA.
 *
 * @param columns whether columns change (FA) rather than rows (FB)
 * @param basisSeed seed of the permutation that basis vectors are taken from, site by site
 * @param task which r of the permutation, from 0
 */
public record Sbora(Lora lora, boolean columns, long basisSeed, int task) implements OnLora {
  /** SBoRA-FA on LoRA's defaults. */
  public Sbora() {
    this(new Lora(), true, 0, 0);
  }

  public Sbora {
    if (task < 0) {
      throw new IllegalArgumentException("task: expected a number from 0, found " + task);
    }
  }

  @Override
  public String name() {
    return columns ? "sbora_fa" : "sbora_fb";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public Sbora on(Lora other) {
    return new Sbora(other, columns, basisSeed, task);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    int r = lora.rank();
    long size = columns ? site.in() : site.out();
    if ((task + 1L) * r > size) {
      throw new IllegalArgumentException(
          "task: "
              + site.path()
              + " has "
              + size
              + " basis vectors, enough for "
              + size / r
              + " tasks of rank "
              + r
              + "\nfound: task "
              + task
              + " (from 0)");
    }
    Shape a = new Shape(r, site.in());
    Shape b = new Shape(site.out(), r);
    Init basis = (c, shape) -> basis(c, site, size);
    if (columns) {
      theta.saved(Lora.A, a, basis).trained(Lora.B, b, Init.ZEROS);
    } else {
      theta.trained(Lora.A, a, Init.ZEROS);
      theta.saved(Lora.B, b, (c, shape) -> basis(c, site, size).transpose());
    }
  }

  private NDArray basis(Init.Context c, Site site, long size) {
    int r = lora.rank();
    int[] order = Seed.of(basisSeed).at("sbora").at(site.path()).permutation((int) size);
    int[] mine = Arrays.copyOfRange(order, task * r, (task + 1) * r);
    Arrays.sort(mine);
    return Buffers.create(
        c.manager(),
        new Shape(r, size),
        DataType.FLOAT32,
        out -> {
          for (int row : mine) {
            for (int i = 0; i < size; i++) {
              out.putFloat(i == row ? 1 : 0);
            }
          }
        });
  }

  static Sbora columns(Entries c) {
    return new Sbora(Lora.fromConfig(c), true, 0, 0);
  }

  static Sbora rows(Entries c) {
    return new Sbora(Lora.fromConfig(c), false, 0, 0);
  }

  @Override
  public String summary() {
    return lora.summary() + (task > 0 ? ", task " + task : "");
  }

  /** The options, for {@code Peft.sboraFa(model)} and {@code Peft.sboraFb(model)}. */
  public static final class Options<R> extends LoraOptions<Sbora, Options<R>, R> {
    private Options(Draft<Sbora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target, boolean columns) {
      return new Options<>(draft(new Sbora(new Lora(), columns, 0, 0), target));
    }

    /**
     * Number of this task, from 0: tasks of one basis seed and rank change different columns or
     * rows.
     */
    public Options<R> task(int n) {
      return with(new Sbora(tuner().lora, tuner().columns, tuner().basisSeed, n));
    }

    /** Seed of the choice of basis vectors; default 0. */
    public Options<R> basisSeed(long seed) {
      return with(new Sbora(tuner().lora, tuner().columns, seed, tuner().task));
    }
  }
}
