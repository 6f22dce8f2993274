package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

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

  /** float32 array as {@code tensor.uniform_(low, high, generator=g)} fills it: 24 bits each. */
  public NDArray uniform(NDManager manager, Shape shape, float low, float high) {
    return Buffers.create(
        manager,
        shape,
        DataType.FLOAT32,
        out -> {
          for (long i = shape.size(); i > 0; i--) {
            float u = (bits() & 0xFFFFFF) * 0x1.0p-24f;
            out.putFloat(Math.fma(u, high - low, low)); // fused, as PyTorch's kernel does it
          }
        });
  }
}
