package org.peft4j.tensor;

import java.util.HashSet;
import java.util.Set;

/**
 * NumPy's default generator, {@code numpy.random.default_rng(seed)}: PCG XSL RR 128/64 (O'Neill
 * 2014), seeded through NumPy's SeedSequence, for what a file of Hugging Face names by seed only.
 */
public final class Pcg64 {
  private static final long MULTIPLIER_HIGH = 0x2360ED051FC65DA4L;
  private static final long MULTIPLIER_LOW = 0x4385DF649FCCF645L;

  /** From this many numbers on, NumPy's choice may shuffle them all. */
  private static final int MANY = 10_000;

  private long high;
  private long low;
  private final long stepHigh;
  private final long stepLow;
  private int second;
  private boolean hasSecond;

  /** A generator of a seed of up to 32 bits. */
  public Pcg64(long seed) {
    if (seed < 0 || seed >>> 32 != 0) {
      throw new IllegalArgumentException("seed: expected 0 to 2^32 - 1, found " + seed);
    }
    long[] words = seedWords((int) seed);
    stepHigh = words[2] << 1 | words[3] >>> 63;
    stepLow = words[3] << 1 | 1;
    step();
    add(words[0], words[1]);
    step();
  }

  /** SeedSequence's first four words of 64 bits. */
  private static long[] seedWords(int seed) {
    int[] constant = {0x43B0D7E5};
    int[] pool = new int[4];
    for (int i = 0; i < 4; i++) {
      pool[i] = hashed(i == 0 ? seed : 0, constant, 0x931E8875);
    }
    for (int from = 0; from < 4; from++) {
      for (int to = 0; to < 4; to++) {
        if (from != to) {
          int mixed = 0xCA01F9DD * pool[to] - 0x4973F715 * hashed(pool[from], constant, 0x931E8875);
          pool[to] = mixed ^ mixed >>> 16;
        }
      }
    }
    constant[0] = 0x8B51F9DD;
    long[] words = new long[4];
    for (int i = 0; i < 8; i++) {
      long half = hashed(pool[i % 4], constant, 0x58F38DED) & 0xFFFFFFFFL;
      words[i / 2] |= half << (32 * (i % 2));
    }
    return words;
  }

  private static int hashed(int value, int[] constant, int multiplier) {
    int v = value ^ constant[0];
    constant[0] *= multiplier;
    v *= constant[0];
    return v ^ v >>> 16;
  }

  private void add(long otherHigh, long otherLow) {
    long sum = low + otherLow;
    high += otherHigh + (Long.compareUnsigned(sum, low) < 0 ? 1 : 0);
    low = sum;
  }

  private void step() {
    long productHigh =
        Math.multiplyHigh(low, MULTIPLIER_LOW)
            + (low >> 63 & MULTIPLIER_LOW)
            + (MULTIPLIER_LOW >> 63 & low); // unsigned
    high = productHigh + high * MULTIPLIER_LOW + low * MULTIPLIER_HIGH;
    low *= MULTIPLIER_LOW;
    add(stepHigh, stepLow);
  }

  /** The next 64 random bits. */
  public long bits() {
    step();
    return Long.rotateRight(high ^ low, (int) (high >>> 58));
  }

  /** The next 32 random bits: halves of 64, the lower first. */
  private int halfBits() {
    if (hasSecond) {
      hasSecond = false;
      return second;
    }
    long both = bits();
    second = (int) (both >>> 32);
    hasSecond = true;
    return (int) both;
  }

  /** A number from 0 to {@code most}, without bias (Lemire 2019). */
  private int upTo(int most) {
    if (most == 0) {
      return 0;
    }
    long n = most + 1L;
    long product = (halfBits() & 0xFFFFFFFFL) * n;
    long rest = product & 0xFFFFFFFFL;
    long threshold = (0xFFFFFFFFL - most) % n;
    while (rest < n && rest < threshold) {
      product = (halfBits() & 0xFFFFFFFFL) * n;
      rest = product & 0xFFFFFFFFL;
    }
    return (int) (product >>> 32);
  }

  /** Reorders {@code values} as {@code rng.shuffle(values)} does. */
  public void shuffle(int[] values) {
    for (int i = values.length - 1; i >= 1; i--) {
      int mask = -1 >>> Integer.numberOfLeadingZeros(i);
      int j = halfBits() & mask;
      while (j > i) {
        j = halfBits() & mask;
      }
      int t = values[i];
      values[i] = values[j];
      values[j] = t;
    }
  }

  private void shuffle(int[] values, int first) {
    for (int i = values.length - 1; i >= first; i--) {
      int j = upTo(i);
      int t = values[i];
      values[i] = values[j];
      values[j] = t;
    }
  }

  /** The numbers that {@code rng.choice(n, size=some, replace=False)} gives. */
  public int[] choice(int n, int some) {
    int[] out = new int[some];
    if (n > MANY && some > n / 50) {
      int[] all = new int[n];
      for (int i = 0; i < n; i++) {
        all[i] = i;
      }
      shuffle(all, Math.max(n - some, 1));
      System.arraycopy(all, n - some, out, 0, some);
      return out;
    }
    Set<Integer> taken = new HashSet<>();
    for (int j = n - some; j < n; j++) {
      int drawn = upTo(j);
      int value = taken.contains(drawn) ? j : drawn;
      taken.add(value);
      out[j - n + some] = value;
    }
    shuffle(out, 1);
    return out;
  }
}
