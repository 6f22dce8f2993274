package org.peft4j.model;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Rotary;
import org.peft4j.nn.Sequence;

/**
 * Frequencies of rotary positions, plain or stretched beyond the trained length, as {@code
 * rope_parameters} (or {@code rope_theta} with {@code rope_scaling}) of a configuration asks for.
 * The plain frequency of pair i of d/2 is {@code theta^(-2 i / d)}.
 */
abstract class RotaryScaling {
  /** Frequencies {@code [size / 2]} for texts whose last position is below {@code length}. */
  abstract double[] frequencies(long length);

  /** What turns the rows of a sequence. */
  Rotary of(Sequence sequence) {
    return Rotary.of(
        sequence.positions(), frequencies(dynamic() ? sequence.countedKeys() : 0), factor());
  }

  /** What cosines and sines are multiplied by. */
  double factor() {
    return 1;
  }

  /** Whether the frequencies depend on the length of a text. */
  boolean dynamic() {
    return false;
  }

  /**
   * How many features of a head are turned.
   *
   * @param size width of a head
   * @param key what the share of them is called outside {@code rope_parameters}
   * @param otherwise the share where nothing is said
   */
  static int turned(Config config, int size, String key, double otherwise) {
    Config both = config.object("rope_parameters");
    double outside = config.number(key, otherwise);
    double share = both == null ? outside : both.number("partial_rotary_factor", outside);
    int turned = (int) (size * share);
    if (turned < 2 || turned > size || turned % 2 != 0) {
      throw new IllegalArgumentException(
          config.source()
              + ": "
              + key
              + "\nexpected: a share of the head's "
              + size
              + " features that is an even number of them\nfound: "
              + share);
    }
    return turned;
  }

  /**
   * Reads the configuration.
   *
   * @param size number of features of a head that are turned
   */
  static RotaryScaling of(Config config, int size) {
    Config both = config.object("rope_parameters");
    Config scaling = scaling(config);
    double theta =
        both != null && both.values().get("rope_theta") != null
            ? both.number("rope_theta", 10000)
            : config.number("rope_theta", 10000);
    String type = scaling == null ? "default" : type(scaling);
    double[] plain = plain(theta, size);
    if (scaling == null || type.equals("default")) {
      return fixed(plain, 1);
    }
    return switch (type) {
      case "linear" -> fixed(divided(plain, positive(scaling, "factor")), 1);
      case "dynamic" -> new Dynamic(theta, size, positive(scaling, "factor"), longest(config));
      case "llama3" -> fixed(llama3(plain, scaling, config), 1);
      case "yarn" -> yarn(plain, theta, size, scaling, config);
      case "longrope" -> longRope(plain, scaling, config);
      default ->
          throw new IllegalArgumentException(
              config.source()
                  + ": rope scaling\nexpected: default, linear, dynamic, llama3, yarn or longrope\nfound: "
                  + type);
    };
  }

  /** Number of positions that a configuration reaches, linear scaling included; 0 if unknown. */
  static int reach(Config config) {
    int trained = config.sizeOr(0, "max_position_embeddings", "n_positions", "n_ctx");
    Config scaling = scaling(config);
    if (scaling != null && type(scaling).equals("longrope")) {
      return (int) shortReach(scaling, config);
    }
    double factor = scaling != null && type(scaling).equals("linear") ? linear(scaling) : 1;
    return (int) Math.min(Integer.MAX_VALUE, trained * factor);
  }

  /** Number of tokens beyond which keys that were kept before do not hold; 0 where they do. */
  static int keysHoldUntil(Config config) {
    Config scaling = scaling(config);
    return scaling != null && type(scaling).equals("longrope") ? reach(config) : 0;
  }

  /**
   * The configuration with positions pressed together, evenly and by a whole factor, until {@code
   * tokens} of them lie where the trained ones do. {@code max_position_embeddings} stays the number
   * of the trained ones, as Hugging Face has it.
   */
  static Config reaching(Config config, int tokens) {
    Config scaling = scaling(config);
    String type = scaling == null ? "default" : type(scaling);
    if (!type.equals("default") && !type.equals("linear")) {
      throw new IllegalStateException(
          config.source()
              + ": rope scaling\nexpected: none, or linear, to go on from\nfound: "
              + type);
    }
    int now = reach(config);
    if (now == 0) {
      config.size("max_position_embeddings"); // says what is missing
    }
    if (tokens <= now) {
      return config;
    }
    double before = type.equals("linear") && scaling != null ? linear(scaling) : 1;
    Map<String, @Nullable Object> next = new LinkedHashMap<>();
    if (scaling != null) {
      next.putAll(scaling.values());
    }
    next.put("rope_type", "linear");
    next.put("factor", before * Math.ceil(tokens / (double) now));
    if (config.object("rope_parameters") != null) {
      return config.with("rope_parameters", next);
    }
    next.put("type", "linear"); // what older readers go by
    return config.with("rope_scaling", next);
  }

  private static @Nullable Config scaling(Config config) {
    Config both = config.object("rope_parameters");
    return both != null ? both : config.object("rope_scaling");
  }

  private static String type(Config scaling) {
    if (scaling.values().get("short_factor") != null) {
      return "longrope"; // older files call it su, or yarn
    }
    if (scaling.values().get("full_attention") != null) {
      return "one per layer type";
    }
    return scaling.text("rope_type", scaling.text("type", "default"));
  }

  private static double linear(Config scaling) {
    return positive(scaling, "factor");
  }

  private static double longest(Config config) {
    return config.size("max_position_embeddings");
  }

  private static double positive(Config c, String key) {
    double v = c.number(key, Double.NaN);
    if (!(v > 0)) {
      throw new IllegalArgumentException(
          c.source() + ": " + key + "\nexpected: a number above 0\nfound: " + c.values().get(key));
    }
    return v;
  }

  private static double[] plain(double theta, int size) {
    double[] f = new double[size / 2];
    for (int i = 0; i < f.length; i++) {
      f[i] = Math.pow(theta, -2.0 * i / size);
    }
    return f;
  }

  private static double[] divided(double[] f, double by) {
    double[] out = f.clone();
    for (int i = 0; i < out.length; i++) {
      out[i] /= by;
    }
    return out;
  }

  private static RotaryScaling fixed(double[] frequencies, double factor) {
    return new RotaryScaling() {
      @Override
      double[] frequencies(long length) {
        return frequencies;
      }

      @Override
      double factor() {
        return factor;
      }
    };
  }

  /** Beyond the trained length theta grows with the text ("NTK-aware"). */
  private static final class Dynamic extends RotaryScaling {
    private final double theta;
    private final int size;
    private final double stretch;
    private final double trained;

    Dynamic(double theta, int size, double stretch, double trained) {
      this.theta = theta;
      this.size = size;
      this.stretch = stretch;
      this.trained = trained;
    }

    @Override
    double[] frequencies(long length) {
      double reach = Math.max(length, trained);
      double grown =
          theta * Math.pow(stretch * reach / trained - (stretch - 1), size / (size - 2.0));
      return plain(grown, size);
    }

    @Override
    boolean dynamic() {
      return true;
    }
  }

  /** Slow pairs are stretched, fast ones kept, with a smooth passage between (Llama 3.1). */
  private static double[] llama3(double[] plain, Config scaling, Config config) {
    double factor = positive(scaling, "factor");
    double low = positive(scaling, "low_freq_factor");
    double high = positive(scaling, "high_freq_factor");
    double trained = scaling.number("original_max_position_embeddings", longest(config));
    double[] out = plain.clone();
    for (int i = 0; i < out.length; i++) {
      double wave = 2 * Math.PI / plain[i];
      if (wave > trained / low) {
        out[i] = plain[i] / factor;
      } else if (wave >= trained / high) {
        double smooth = (trained / wave - low) / (high - low);
        out[i] = (1 - smooth) * plain[i] / factor + smooth * plain[i];
      }
    }
    return out;
  }

  /** YaRN (arXiv 2309.00071): pairs that turn often keep their frequency, others are stretched. */
  private static RotaryScaling yarn(
      double[] plain, double theta, int size, Config scaling, Config config) {
    double factor = positive(scaling, "factor");
    double trained = scaling.number("original_max_position_embeddings", longest(config));
    boolean whole = scaling.flag("truncate", true);
    double low = pair(scaling.number("beta_fast", 32), size, theta, trained);
    double high = pair(scaling.number("beta_slow", 1), size, theta, trained);
    low = Math.max(whole ? Math.floor(low) : low, 0);
    high = Math.min(whole ? Math.ceil(high) : high, size - 1.0);
    double width = high == low ? 0.001 : high - low;
    double[] out = plain.clone();
    for (int i = 0; i < out.length; i++) {
      double stretched = Math.min(1, Math.max(0, (i - low) / width));
      out[i] = plain[i] / factor * stretched + plain[i] * (1 - stretched);
    }
    return fixed(out, attentionFactor(scaling, factor));
  }

  /**
   * LongRoPE (arXiv 2402.13753): every pair has a factor of its own, and others in texts that are
   * longer than the trained ones.
   */
  private static RotaryScaling longRope(double[] plain, Config scaling, Config config) {
    double trained = shortReach(scaling, config);
    double factor = scaling.number("factor", longest(config) / trained);
    double usual = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(trained));
    return new LongRope(
        each(plain, scaling, "short_factor"),
        scaling.values().get("long_factor") == null ? null : each(plain, scaling, "long_factor"),
        scaling.number("attention_factor", usual),
        (long) trained,
        (long) longest(config));
  }

  private static double[] each(double[] plain, Config scaling, String key) {
    double[] factors = scaling.numbers(key);
    if (factors.length != plain.length) {
      throw new IllegalArgumentException(
          scaling.source()
              + ": "
              + key
              + "\nexpected: "
              + plain.length
              + " numbers, one per pair of features\nfound: "
              + factors.length);
    }
    double[] out = plain.clone();
    for (int i = 0; i < out.length; i++) {
      out[i] /= factors[i];
    }
    return out;
  }

  /** LongRoPE's. A graph, which does not know how long a text is, has those of short ones. */
  private static final class LongRope extends RotaryScaling {
    private final double[] near;
    private final double @Nullable [] far;
    private final double factor;
    private final long trained;
    private final long longest;

    LongRope(double[] near, double @Nullable [] far, double factor, long trained, long longest) {
      this.near = near;
      this.far = far;
      this.factor = factor;
      this.trained = trained;
      this.longest = longest;
    }

    @Override
    Rotary of(Sequence sequence) {
      boolean beyond = far != null && !sequence.traced() && sequence.keys() > trained;
      sequence.limit(beyond ? longest : trained);
      if (beyond && sequence.kept() > 0 && sequence.kept() <= trained) {
        throw new IllegalStateException(
            "a text grows past "
                + trained
                + " tokens, where other rotary positions hold for all of it\nfound: "
                + sequence.kept()
                + " keys that are kept\nfix: read the text again without them");
      }
      return Rotary.of(sequence.positions(), frequencies(sequence.keys()), factor);
    }

    @Override
    double[] frequencies(long length) {
      return far != null && length > trained ? far : near;
    }
  }

  private static double shortReach(Config scaling, Config config) {
    String key = "original_max_position_embeddings";
    return scaling.number(key, config.number(key, longest(config)));
  }

  private static double attentionFactor(Config scaling, double factor) {
    @Nullable Object given = scaling.values().get("attention_factor");
    if (given != null) {
      return scaling.number("attention_factor", 1);
    }
    double m = scaling.number("mscale", 0);
    double all = scaling.number("mscale_all_dim", 0);
    return m != 0 && all != 0
        ? sharpness(factor, m) / sharpness(factor, all)
        : sharpness(factor, 1);
  }

  private static double sharpness(double factor, double m) {
    return factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1;
  }

  /** The pair, as a real number, that turns {@code turns} times within the trained length. */
  private static double pair(double turns, int size, double theta, double trained) {
    return size * Math.log(trained / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
  }
}
