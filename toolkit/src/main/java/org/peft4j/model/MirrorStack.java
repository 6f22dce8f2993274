package org.peft4j.model;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.CacheMemory;
import org.peft4j.nn.KvCache;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Context;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Init;
import org.peft4j.spi.Mirror;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Seed;

/**
 * A smaller body of a model's own architecture, by its configuration with other sizes, as Hugging
 * Face PEFT makes it: what the sizes do not name, such as the width of a head that is stated or the
 * number of key heads, stays the model's. Its blocks have no values; each pass brings them.
 */
final class MirrorStack implements Mirror {
  private static final List<String> LAYERS =
      List.of("num_hidden_layers", "n_layer", "n_layers", "num_layers");
  private static final List<String> HIDDEN = List.of("hidden_size", "n_embd", "dim", "d_model");
  private static final List<String> INNER =
      List.of("intermediate_size", "ffn_dim", "hidden_dim", "d_ff", "n_inner");
  private static final List<String> HEADS =
      List.of("num_attention_heads", "n_head", "n_heads", "num_heads");

  /** Architectures whose configurations state the width of a head even where a file does not. */
  private static final List<String> STATED_HEADS = List.of("llama", "mistral", "mixtral");

  private static final String HEAD = "head_dim";
  private static final String LAYER_TYPES = "layer_types";
  private static final String DECODER = "decoder.";
  private static final String POOLER = "pooler.";

  private final Architecture architecture;
  private final Body body;
  private final Map<String, Parameter> parameters;
  private final IdentityHashMap<Parameter, String> names = new IdentityHashMap<>();

  private MirrorStack(Architecture architecture, Config config) {
    this.architecture = architecture;
    this.body = architecture.body(config, false);
    this.parameters = named(architecture, body);
    parameters.forEach((name, p) -> names.put(p, name));
  }

  /** The parameters of a body by the names that files have for them inside of it. */
  static Map<String, Parameter> named(Architecture architecture, Body body) {
    Map<String, Parameter> all = Paths.parameters(body);
    boolean nested = all.keySet().stream().allMatch(p -> p.startsWith(DECODER)); // OPT's
    Map<String, Parameter> out = new LinkedHashMap<>();
    all.forEach(
        (path, p) ->
            out.put(architecture.fileName(nested ? path.substring(DECODER.length()) : path), p));
    return out;
  }

  /**
   * Makes mirrors of such a model; null where it does not read tokens, or has experts.
   *
   * @param task what the model is for
   */
  static Mirror.@Nullable Maker maker(Config config, Architecture architecture, Task task) {
    if (!architecture.inputs().contains("input_ids") || architecture.experts() != null) {
      return null;
    }
    Map<Size, Mirror> made = new ConcurrentHashMap<>();
    return new Mirror.Maker() {
      @Override
      public Mirror of(Size size) {
        return made.computeIfAbsent(size, s -> new MirrorStack(architecture, resized(config, s)));
      }

      @Override
      public boolean classifiesTexts() {
        return task == Task.SEQUENCE_CLASSIFICATION;
      }
    };
  }

  /** The configuration of a model of that size. */
  static Config resized(Config config, Size size) {
    Config c = config;
    if (STATED_HEADS.contains(config.modelType()) && config.values().get(HEAD) == null) {
      int head = config.size("hidden_size") / config.size("num_attention_heads");
      c = c.with(HEAD, (long) head);
    }
    c = with(c, LAYERS, size.layers());
    c = with(c, HIDDEN, size.hidden());
    c = with(c, INNER, size.inner());
    c = with(c, HEADS, size.heads());
    if (c.values().get(LAYER_TYPES) instanceof List<?> types) {
      int layers = Math.min(size.layers(), types.size());
      c = c.with(LAYER_TYPES, types.subList(0, layers));
    }
    return c;
  }

  private static Config with(Config config, List<String> keys, int value) {
    if (value == 0) {
      return config;
    }
    Config c = config;
    for (String key : keys) {
      c = c.values().get(key) == null ? c : c.with(key, (long) value);
    }
    String last = keys.get(keys.size() - 1);
    return c == config ? c.with(last, (long) value) : c; // GPT-2 need not state its n_inner
  }

  @Override
  public int hidden() {
    return body.hiddenSize();
  }

  @Override
  public Map<String, Shape> tensors() {
    Map<String, Shape> out = new LinkedHashMap<>();
    parameters.forEach((name, p) -> out.put(name, p.getShape()));
    return Collections.unmodifiableMap(out);
  }

  @Override
  public String embeddings() {
    return Objects.requireNonNull(names.get(body.embeddings().parameters().get(0)));
  }

  @Override
  public Init init(String tensor) {
    return switch (parameter(tensor).getType()) {
      case BIAS, BETA -> Init.ZEROS;
      case GAMMA -> Init.ONES;
      default -> Init.normal(Weights.DEVIATION);
    };
  }

  @Override
  public boolean isTransposed(String tensor) {
    return architecture.transposed("." + tensor);
  }

  @Override
  public boolean isSpare(String tensor) {
    return tensor.startsWith(POOLER);
  }

  private Parameter parameter(String tensor) {
    return Objects.requireNonNull(parameters.get(tensor), tensor);
  }

  @Override
  public NDArray encode(
      Anatomy model, Pass pass, Function<String, @Nullable NDArray> theta, Context context) {
    KvCache cache = context.memory() instanceof CacheMemory m ? m.cache().beside() : null;
    boolean shares = theta.apply(embeddings()) == null;
    return body.encode(
        new Inside(pass, theta, shares ? model.embeddings() : null), Inputs.of(context, cache));
  }

  /** A pass through the mirror within one through the model. */
  private final class Inside extends Pass {
    private final Pass outer;
    private final Function<String, @Nullable NDArray> theta;
    private final @Nullable Frozen words;

    Inside(Pass outer, Function<String, @Nullable NDArray> theta, @Nullable Frozen words) {
      super(outer, outer.training());
      this.outer = outer;
      this.theta = theta;
      this.words = words;
    }

    @Override
    public NDArray getValue(@Nullable Parameter parameter, Device device, boolean training) {
      String name = Objects.requireNonNull(names.get(parameter));
      return Objects.requireNonNull(theta.apply(name), name);
    }

    @Override
    public NDArray apply(Frozen frozen, NDArray x) {
      return words != null && frozen == body.embeddings()
          ? outer.apply(words, x)
          : frozen.apply(this, x, frozen.bias(this));
    }

    @Override
    public Weight effective(Frozen frozen) {
      return new Weight(frozen.weight(this), frozen.bias(this));
    }

    @Override
    public Seed seed() {
      return outer.seed().at("mirror");
    }
  }
}
