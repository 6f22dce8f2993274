package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.MersenneTwister;

/**
 * Two random matrices that all sites share, drawn from PyTorch's generator as Hugging Face draws
 * them; each site takes the first columns of A and the first rows of B that it needs.
 *
 * @param a name of A, {@code [r, in]} of the largest site
 * @param b name of B, {@code [out, r]} of the largest site
 * @param saved whether a file has them, or only their seed
 */
record Projections(String a, String b, long seed, boolean saved) {
  void declare(Declaration theta, long rowsOfA, long rank, List<Site> sites) {
    long in = sites.stream().mapToLong(Site::in).max().orElseThrow();
    long out = sites.stream().mapToLong(Site::out).max().orElseThrow();
    Shape[] shapes = {new Shape(rowsOfA, in), new Shape(out, rank)};
    Init first = (c, shape) -> both(c, shapes)[0];
    Init second = (c, shape) -> both(c, shapes)[1];
    if (saved) {
      theta.saved(a, shapes[0], first).saved(b, shapes[1], second);
    } else {
      theta.derived(a, shapes[0], first).derived(b, shapes[1], second);
    }
  }

  /** A, then B, from one generator: kaiming_uniform_ with gain sqrt(2). */
  private NDArray[] both(Init.Context c, Shape[] shapes) {
    return c.once(
        "projections",
        () -> {
          MersenneTwister random = new MersenneTwister(seed);
          return new NDArray[] {kaiming(random, c, shapes[0]), kaiming(random, c, shapes[1])};
        });
  }

  private static NDArray kaiming(MersenneTwister random, Init.Context c, Shape shape) {
    float bound = (float) (Math.sqrt(3) * Math.sqrt(2) / Math.sqrt(shape.get(1)));
    return random.uniform(c.manager(), shape, -bound, bound);
  }

  NDArray a(At at) {
    NDArray whole = at.theta(a);
    long in = at.site().in();
    return whole.getShape().get(1) == in ? whole : whole.get(":, :{}", in);
  }

  NDArray b(At at) {
    NDArray whole = at.theta(b);
    long out = at.site().out();
    return whole.getShape().get(0) == out ? whole : whole.get(":{}", out);
  }
}
