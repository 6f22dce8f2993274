package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.MersenneTwister;

/** RandLoRA's random matrices, each divided by its standard deviation. */
final class RandomBases {
  private RandomBases() {}

  /**
   * A {@code [r, 1, least]}, then B {@code [most, n, r]}, from one generator.
   *
   * @param zeros s, to have values -1 and 1 with a chance of {@code 1 / (2 s)} each, else 0; 0 to
   *     have uniform ones
   */
  static NDArray[] draw(MersenneTwister random, NDManager manager, Shape a, Shape b, double zeros) {
    if (zeros > 0) {
      return new NDArray[] {
        array(manager, scaled(signs(random, (int) a.size(), zeros), false), a),
        array(manager, scaled(signs(random, (int) b.size(), zeros), false), b)
      };
    }
    float[] first = uniform(random, (int) a.size(), a.get(2));
    int most = (int) b.get(0);
    int n = (int) b.get(1);
    int r = (int) b.get(2);
    float[] second = new float[most * n * r];
    for (int base = 0; base < n; base++) { // one base after another, side by side
      float[] one = uniform(random, most * r, r);
      for (int i = 0; i < most; i++) {
        System.arraycopy(one, i * r, second, (i * n + base) * r, r);
      }
    }
    return new NDArray[] {
      array(manager, scaled(first, true), a), array(manager, scaled(second, true), b)
    };
  }

  private static NDArray array(NDManager manager, float[] values, Shape shape) {
    return Buffers.create(manager, values, shape);
  }

  /**
   * Within {@code 1 / sqrt(fan-in)}, drawn in bfloat16: what is rounded to the end is the start.
   */
  private static float[] uniform(MersenneTwister random, int n, long fanIn) {
    float bound = (float) (Math.sqrt(3) * Math.sqrt(1 / 3.0) / Math.sqrt(fanIn));
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      float value = brain(random.uniform(-bound, bound));
      out[i] = value == brain(bound) ? -value : value;
    }
    return out;
  }

  private static float[] signs(MersenneTwister random, int n, double zeros) {
    float low = (float) (1 / (2 * zeros));
    float high = (float) (1 - 1 / (2 * zeros));
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      float u = random.uniform(0, 1);
      out[i] = u < low ? -1 : u > high ? 1 : 0;
    }
    return out;
  }

  private static float[] scaled(float[] x, boolean rounded) {
    double mean = 0;
    for (float v : x) {
      mean += v;
    }
    mean /= x.length;
    double squares = 0;
    for (float v : x) {
      squares += (v - mean) * (v - mean);
    }
    float deviation = (float) Math.sqrt(squares / (x.length - 1));
    float divisor = rounded ? brain(deviation) : deviation;
    float[] out = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = rounded ? brain(x[i] / divisor) : x[i] / divisor;
    }
    return out;
  }

  /** The nearest number that bfloat16 has; of two, the even one. */
  private static float brain(float x) {
    int bits = Float.floatToRawIntBits(x);
    int rounded = bits + 0x7FFF + (bits >>> 16 & 1);
    return Float.intBitsToFloat(rounded & 0xFFFF0000);
  }
}
