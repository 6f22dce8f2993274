package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scalars;

/**
 * HRA (Yuan et al., arXiv 2405.17484): {@code W = W0 H_1 ... H_r}, reflections {@code H_i = I - 2
 * u_i u_i^T} along unit vectors, the columns of U {@code [in, r]}. At first every second is equal
 * to the one before it, so that they cancel out.
 *
 * @param rank r; odd ones start with a reflection too many
 * @param orthogonal whether U is made orthonormal first (Gram-Schmidt): then W is no more than a
 *     reflection of W0, and never starts there
 */
public record Hra(@Key("r") int rank, @Key("apply_GS") boolean orthogonal) implements Rotation {
  private static final String U = "hra_u";

  /** Hugging Face's defaults: rank 8. */
  public Hra() {
    this(8, false);
  }

  public Hra {
    Checks.rank(rank);
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    theta.trained(
        U,
        new Shape(Rotation.columns(site), rank),
        (c, shape) ->
            orthogonal || rank % 2 != 0
                ? Init.KAIMING.make(c, shape)
                : Init.KAIMING.make(c, new Shape(shape.get(0), rank / 2)).repeat(1, 2));
  }

  /** The unit vectors, each {@code [in]}. */
  private List<NDArray> directions(At at) {
    List<NDArray> units = new ArrayList<>();
    NDArray columns = at.theta(U).transpose();
    for (int i = 0; i < rank; i++) {
      NDArray u = columns.get(i);
      if (orthogonal) {
        for (NDArray before : units) {
          u = u.sub(before.mul(before.mul(u).sum()));
        }
      }
      units.add(u.div(u.norm()));
    }
    return units;
  }

  private static NDArray reflect(NDArray x, List<NDArray> units) {
    NDArray rows = x.reshape(-1, units.get(0).size());
    for (NDArray u : units) {
      NDArray along = rows.matMul(u.expandDims(1));
      rows = rows.sub(Scalars.mul(along.matMul(u.expandDims(0)), 2));
    }
    return rows.reshape(x.getShape());
  }

  @Override
  public NDArray rotate(At at, NDArray x) {
    List<NDArray> units = directions(at);
    Collections.reverse(units);
    return reflect(x, units);
  }

  @Override
  public NDArray rotateBack(At at, NDArray x) {
    return reflect(x, directions(at));
  }

  /** The options, for {@code Peft.hra(model)}. */
  public static final class Options<R> extends Keyed.Options<Hra, Options<R>, R> {
    private Options(Draft<Hra, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Hra(), target));
    }

    /** Number of reflections, even to start at W0; default 8. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Makes the reflections orthogonal to each other, so that their order does not matter. */
    public Options<R> orthogonal() {
      return set("apply_GS", true);
    }
  }
}
