package org.peft4j.reparam;

import java.util.List;
import java.util.function.LongUnaryOperator;
import java.util.stream.LongStream;
import org.peft4j.spi.Site;

/** Sizes that cut layers into equal parts, where a user names none. */
final class Divisors {
  private Divisors() {}

  /** The largest size up to {@code most} that divides inputs and outputs of all sites. */
  static int common(List<Site> sites, int most) {
    return largest(most, 1, sites.stream().flatMapToLong(s -> LongStream.of(s.in(), s.out())));
  }

  /** The largest even size up to {@code most} that divides the outputs of all sites. */
  static int evenOfOutputs(List<Site> sites, int most) {
    return largest(most, 2, sites.stream().mapToLong(Site::out));
  }

  private static int largest(int most, int step, LongStream wholes) {
    long[] all = wholes.toArray();
    LongUnaryOperator rest = d -> LongStream.of(all).map(w -> w % d).sum();
    int d = most - most % step;
    while (d > step && rest.applyAsLong(d) != 0) {
      d -= step;
    }
    return d;
  }
}
