package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Mirror;
import org.peft4j.spi.Paths;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;

/**
 * A mirror as an ordinary model of its architecture, with its own memory: what projected its states
 * to the model's is multiplied into the head, which is linear in them.
 */
final class MirrorModel {
  private final Pretrained.Facts facts;
  private final Config config;
  private final Architecture architecture;
  private final Mirror.Values values;

  MirrorModel(Pretrained from, Mirror.Values values) {
    this.facts = from.facts();
    this.config = Objects.requireNonNull(facts.config());
    this.architecture = Objects.requireNonNull(facts.architecture());
    this.values = values;
  }

  Pretrained of(Mirror.Size size) {
    Config small = MirrorStack.resized(config, size);
    if (facts.task() == Task.CAUSAL_LM) {
      small = small.with("tie_word_embeddings", isTied(size));
    }
    if (!facts.labels().isEmpty()) {
      Map<String, Object> labels = new LinkedHashMap<>();
      facts.labels().forEach(l -> labels.put(String.valueOf(labels.size()), l));
      small = small.with("id2label", labels);
    }
    Network network = Loader.network(small, architecture, facts.task(), facts.pooling());
    IdentityHashMap<Parameter, String> names = new IdentityHashMap<>();
    MirrorStack.named(architecture, network.body()).forEach((name, p) -> names.put(p, name));
    Arena own = new Arena();
    try (Scope scope = Scope.open()) {
      Paths.parameters(network)
          .forEach(
              (path, p) -> {
                NDArray value = value(path, names.get(p), p.getShape());
                Weights.set(p, Buffers.copyOf(own.manager(), value), own.manager());
              });
    } catch (RuntimeException e) {
      own.manager().close();
      throw e;
    }
    Pretrained.Facts its =
        new Pretrained.Facts(
            facts.name() + " (detached)",
            small,
            architecture,
            facts.task(),
            facts.pooling(),
            facts.labels(),
            List.of(),
            facts.outputNames(),
            facts.tokenizer());
    return new Pretrained(its, network, List.of(own));
  }

  /** Whether the head's weight still is that of the token embeddings. */
  private boolean isTied(Mirror.Size size) {
    String words =
        Objects.requireNonNull(MirrorStack.maker(config, architecture, facts.task()))
            .of(size)
            .embeddings();
    return Loader.tied(config, architecture)
        && values.ofMirror(words) == null
        && values.projection() == null;
  }

  /** What a parameter of the network is; {@code name} is its name in the mirror if it is there. */
  private NDArray value(String path, @Nullable String name, Shape wanted) {
    NDArray own = name == null ? null : values.ofMirror(name);
    NDArray value = own == null ? values.ofModel(path) : own;
    NDArray projection = values.projection();
    if (value != null && value.getShape().equals(wanted)) {
      return value;
    }
    if (value != null
        && projection != null
        && wanted.equals(new Shape(value.getShape().get(0), projection.getShape().get(1)))) {
      return value.matMul(projection);
    }
    throw new IllegalStateException(
        "'"
            + facts.name()
            + "': what is beside it cannot stand alone\nexpected: "
            + path
            + " "
            + wanted
            + "\nfound: "
            + (value == null ? "nothing" : value.getShape() + ", for states of the model's width")
            + "\nfix: train with a mirror as wide as the model, or use its outputs through the model");
  }
}
