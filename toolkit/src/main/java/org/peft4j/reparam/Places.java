package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.MersenneTwister;

/** A few entries of a matrix, at random places. */
final class Places {
  /** The constant that holds the places, counted along the rows. */
  static final String NAME = "places";

  private Places() {}

  /** The first n places of PyTorch's random permutation of a weight's, as Hugging Face has them. */
  static int[] of(Site site, long seed, int n) {
    long all = site.shape().size();
    Checks.atMost("n", site.path(), all, n);
    return new MersenneTwister(seed).permutation(Math.toIntExact(all), n);
  }

  /** Declares places that are found anew whenever an adapter is loaded. */
  static void declare(Declaration theta, Site site, long seed, int n) {
    Init places =
        (c, shape) ->
            Buffers.create(
                c.manager(),
                shape,
                DataType.INT32,
                out -> out.asIntBuffer().put(of(site, seed, n)));
    Checks.atMost("n_frequency", site.path(), site.shape().size(), n);
    theta.derived(NAME, new Shape(n), places);
  }

  /** A matrix of zeros but for {@code values} at {@code places}, both {@code [n]}. */
  static NDArray fill(NDArray values, NDArray places, long rows, long columns) {
    NDArray zeros = values.getManager().zeros(new Shape(rows * columns), values.getDataType());
    NDArray at = places.toType(DataType.INT64, false);
    return zeros.scatter(at, values, 0).reshape(rows, columns);
  }
}
