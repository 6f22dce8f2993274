package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;

/**
 * PyTorch's CPU generator (MT19937, Matsumoto and Nishimura 1998, seeded as {@code init_genrand}),
 * for tensors that a file of Hugging Face names by seed only. {@code
 * torch.Generator().manual_seed(s)} draws the same bits.
 */
public final class MersenneTwister {
  private static final int N = 624;
  private static final int M = 397;

  private final int[] state = new int[N];
  private int next = N;

  public MersenneTwister(long seed) {
    state[0] = (int) seed;
    for (int i = 1; i < N; i++) {
      state[i] = 1812433253 * (state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    }
  }

  /** The next 32 random bits. */
  public int bits() {
    if (next == N) {
      twist();
    }
    int y = state[next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9D2C5680;
    y ^= (y << 15) & 0xEFC60000;
    return y ^ (y >>> 18);
  }

  private void twist() {
    for (int i = 0; i < N; i++) {
      int y = (state[i] & 0x80000000) | (state[(i + 1) % N] & 0x7FFFFFFF);
      state[i] = state[(i + M) % N] ^ (y >>> 1) ^ ((y & 1) == 0 ? 0 : 0x9908B0DF);
    }
    next = 0;
  }

  /** The next number of {@code tensor.uniform_(low, high, generator=g)} in float32: 24 bits. */
  public float uniform(float low, float high) {
    float u = (bits() & 0xFFFFFF) * 0x1.0p-24f;
    return Math.fma(u, high - low, low); // fused, as PyTorch's kernel does it
  }

  /** The next number of {@code numpy.random.RandomState(seed).random_sample()}, in [0, 1). */
  public double real() {
    double high = bits() >>> 5;
    return (high * 0x1.0p26 + (bits() >>> 6)) * 0x1.0p-53;
  }

  /** float32 array as {@code tensor.uniform_(low, high, generator=g)} fills it: 24 bits each. */
  public NDArray uniform(NDManager manager, Shape shape, float low, float high) {
    return Buffers.create(
        manager,
        shape,
        DataType.FLOAT32,
        out -> {
          for (long i = shape.size(); i > 0; i--) {
            out.putFloat(uniform(low, high));
          }
        });
  }

  /** The first numbers of {@code torch.randperm(n, generator=g)}. */
  public int[] permutation(int n, int first) {
    int[] p = new int[n];
    for (int i = 0; i < n; i++) {
      p[i] = i;
    }
    for (int i = 0; i < Math.min(first, n - 1); i++) {
      int j = i + Integer.remainderUnsigned(bits(), n - i);
      int t = p[i];
      p[i] = p[j];
      p[j] = t;
    }
    return Arrays.copyOf(p, first);
  }

  /**
   * float32 array as {@code torch.randn(shape, generator=g)} draws it, up to the rounding of
   * logarithm and cosine. From 16 values on it works in blocks of 16.
   */
  public NDArray normal(NDManager manager, Shape shape) {
    int n = Math.toIntExact(shape.size());
    return Buffers.create(manager, n < 16 ? fewNormals(n) : normals(n), shape);
  }

  private float[] fewNormals(int n) {
    float[] out = new float[n];
    for (int i = 0; i < n; i += 2) {
      double angle = 2 * Math.PI * uniform53();
      double radius = StrictMath.sqrt(-2 * StrictMath.log1p(-uniform53()));
      out[i] = (float) (radius * StrictMath.cos(angle));
      if (i + 1 < n) {
        out[i + 1] = (float) (radius * StrictMath.sin(angle));
      }
    }
    return out;
  }

  private double uniform53() {
    long high = bits();
    long both = high << 32 | (bits() & 0xFFFFFFFFL);
    return (both & ((1L << 53) - 1)) * 0x1.0p-53;
  }

  private float[] normals(int n) {
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = uniform(0, 1);
    }
    for (int i = 0; i + 16 <= n; i += 16) {
      boxMuller(out, i);
    }
    if (n % 16 != 0) { // the last 16 anew, those before the ragged end included
      for (int i = n - 16; i < n; i++) {
        out[i] = uniform(0, 1);
      }
      boxMuller(out, n - 16);
    }
    return out;
  }

  private static void boxMuller(float[] x, int from) {
    for (int i = from; i < from + 8; i++) {
      double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - x[i]));
      double angle = 2 * Math.PI * x[i + 8];
      x[i] = (float) (radius * StrictMath.cos(angle));
      x[i + 8] = (float) (radius * StrictMath.sin(angle));
    }
  }
}
