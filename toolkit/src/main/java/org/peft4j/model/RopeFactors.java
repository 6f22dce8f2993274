package org.peft4j.model;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Llama 3.1's scaling of RoPE, by a factor for each frequency: 1 for wavelengths below L/high, f
 * beyond L/low, between them 1 / ((1 - s)/f + s) with s = (L/wavelength - low) / (high - low); L is
 * the length that the model was first trained with. GGUF files hold the factors and not what they
 * were made of.
 */
final class RopeFactors {
  private static final double LOW = 1;
  private static final double HIGH = 4;
  private static final long LENGTH = 8192;
  private static final float NEAR = 1e-3f;

  private RopeFactors() {}

  /** The factors of a {@code rope_scaling} of type llama3. */
  static float[] of(Config scaling, double base, int headSize) {
    return of(
        scaling.number("factor", 8),
        scaling.number("low_freq_factor", LOW),
        scaling.number("high_freq_factor", HIGH),
        scaling.number("original_max_position_embeddings", LENGTH),
        base,
        headSize);
  }

  private static float[] of(
      double factor, double low, double high, double length, double base, int headSize) {
    float[] out = new float[headSize / 2];
    for (int i = 0; i < out.length; i++) {
      double wavelength = 2 * Math.PI * Math.pow(base, 2.0 * i / headSize);
      double s = (length / wavelength - low) / (high - low);
      out[i] =
          (float)
              (wavelength < length / high
                  ? 1
                  : wavelength > length / low ? factor : 1 / ((1 - s) / factor + s));
    }
    return out;
  }

  /** The {@code rope_scaling} that gives these factors, or null when it is none known. */
  static @Nullable Map<String, @Nullable Object> scaling(float[] factors, double base) {
    double factor = 1;
    for (float f : factors) {
      factor = Math.max(factor, f);
    }
    float[] expected = of(factor, LOW, HIGH, LENGTH, base, 2 * factors.length);
    for (int i = 0; i < factors.length; i++) {
      if (!(Math.abs(factors[i] - expected[i]) <= NEAR * expected[i])) {
        return null;
      }
    }
    Map<String, @Nullable Object> out = new LinkedHashMap<>();
    out.put("rope_type", "llama3");
    out.put("factor", factor);
    out.put("low_freq_factor", LOW);
    out.put("high_freq_factor", HIGH);
    out.put("original_max_position_embeddings", LENGTH);
    return out;
  }
}
