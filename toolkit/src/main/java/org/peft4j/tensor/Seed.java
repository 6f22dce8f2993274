package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A place in the tree of random numbers: {@code
 * Seed.of(7).at(step).at("layer.0.query").at("lora_A")} always yields the same values, on any JVM,
 * in any order, from any thread. Numbers are {@code mix(key + i * golden)} (SplitMix64), so the
 * i-th one needs none of those before it; the engine's generator is never used.
 */
public record Seed(long key) {
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;
  private static final int MASK_CHUNK = 4096;

  public static Seed of(long seed) {
    return new Seed(mix(seed + GOLDEN));
  }

  /** The sub-tree named {@code n}, such as a step. */
  public Seed at(long n) {
    return new Seed(mix(key ^ mix(n * GOLDEN + 1)));
  }

  /** The sub-tree named {@code name}, such as a site or a tensor. */
  public Seed at(String name) {
    long h = 0xCBF29CE484222325L; // FNV-1a
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      h = (h ^ (b & 0xFF)) * 0x100000001B3L;
    }
    return new Seed(mix(key ^ mix(h + GOLDEN)));
  }

  /** The i-th 64 random bits. */
  public long bits(long i) {
    return mix(key + (i + 1) * GOLDEN);
  }

  /** The i-th number in [0, 1), a multiple of 2^-53. */
  public double uniform(long i) {
    return (bits(i) >>> 11) * 0x1.0p-53;
  }

  /** The i-th integer in [0, bound). */
  public int below(long i, int bound) {
    return (int) Math.multiplyHigh(bits(i) >>> 1, (long) bound << 1);
  }

  /** Numbers 0..n-1 in random order. */
  public int[] permutation(int n) {
    int[] p = new int[n];
    for (int i = 0; i < n; i++) {
      p[i] = i;
    }
    for (int i = n - 1; i > 0; i--) {
      int j = below(i, i + 1);
      int t = p[i];
      p[i] = p[j];
      p[j] = t;
    }
    return p;
  }

  /** float32 array, uniform in [low, high). */
  public NDArray uniform(NDManager manager, Shape shape, double low, double high) {
    return Buffers.create(
        manager,
        shape,
        DataType.FLOAT32,
        out -> {
          int n = out.capacity() / Float.BYTES;
          for (int i = 0; i < n; i++) {
            float u = (bits(i) >>> 40) * 0x1.0p-24f;
            out.putFloat((float) (low + (high - low) * u));
          }
        });
  }

  /**
   * float32 array, normal with mean 0 (Box-Muller, in double, with {@link StrictMath}: the same
   * bits everywhere).
   */
  public NDArray normal(NDManager manager, Shape shape, double deviation) {
    return Buffers.create(
        manager,
        shape,
        DataType.FLOAT32,
        out -> {
          int n = out.capacity() / Float.BYTES;
          for (int i = 0; i < n; i += 2) {
            double radius = StrictMath.sqrt(-2 * StrictMath.log(1 - uniform(i)));
            double angle = 2 * Math.PI * uniform(i + 1L);
            out.putFloat((float) (deviation * radius * StrictMath.cos(angle)));
            if (i + 1 < n) {
              out.putFloat((float) (deviation * radius * StrictMath.sin(angle)));
            }
          }
        });
  }

  /**
   * Dropout mask, float32: 0 with the given probability, else 1 / (1 - p). The probability is
   * rounded to 2^-16.
   */
  public NDArray dropoutMask(NDManager manager, Shape shape, double p) {
    int drop = (int) Math.round(p * 0x10000);
    int kept = Float.floatToRawIntBits((float) (1 / (1 - p)));
    return Buffers.create(
        manager,
        shape,
        DataType.FLOAT32,
        out -> {
          FloatBuffer floats = out.asFloatBuffer();
          float[] chunk = new float[(int) Math.min(MASK_CHUNK, floats.capacity() + 3L & ~3L)];
          for (long first = 0; floats.hasRemaining(); first += chunk.length) {
            for (int i = 0; i < chunk.length; i += 4) {
              long word = bits((first + i) >> 2);
              // without branches, which would be mispredicted as often as something is dropped
              chunk[i] = Float.intBitsToFloat(kept & ~(((int) (word & 0xFFFF) - drop) >> 31));
              chunk[i + 1] =
                  Float.intBitsToFloat(kept & ~(((int) (word >>> 16 & 0xFFFF) - drop) >> 31));
              chunk[i + 2] =
                  Float.intBitsToFloat(kept & ~(((int) (word >>> 32 & 0xFFFF) - drop) >> 31));
              chunk[i + 3] = Float.intBitsToFloat(kept & ~(((int) (word >>> 48) - drop) >> 31));
            }
            floats.put(chunk, 0, Math.min(chunk.length, floats.remaining()));
          }
        });
  }

  /** SplitMix64's finaliser. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
