package org.peft4j.model;

import ai.djl.nn.Block;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.peft4j.nn.Overlay;
import org.peft4j.quant.Storages;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Bfloat16;
import org.peft4j.tensor.Seed;

/**
 * Models made from another: with another head, size, configuration or storage. Each shares the
 * weights that stay, and keeps them alive; the model it was made from is never changed.
 */
final class Derivations {
  private final Pretrained from;
  private final Pretrained.Facts facts;

  Derivations(Pretrained from) {
    this.from = from;
    this.facts = from.facts();
  }

  /** A model whose additional memory is {@code more}. */
  private Pretrained made(Pretrained.Facts its, Block network, Arena more) {
    List<Arena> all = new ArrayList<>(from.memory());
    all.add(more);
    return new Pretrained(its, network, all);
  }

  Pretrained classify(List<String> labels, Pooling pooling, long seed) {
    if (labels.size() < 2 || labels.stream().distinct().count() != labels.size()) {
      throw new IllegalArgumentException(
          "labels\nexpected: at least two distinct names\nfound: " + labels);
    }
    Network ours = ours("get a new head");
    Head head =
        Loader.classifier(
            config(), architecture(), pooling, ours.body().hiddenSize(), labels.size());
    Arena own = new Arena();
    Weights.fill(head, own.manager(), Seed.of(seed).at("head"));
    Network next = new Network(ours.body(), head, architecture());
    Pretrained.Facts its =
        new Pretrained.Facts(
            facts.name(),
            config(),
            architecture(),
            head.task(),
            pooling,
            List.copyOf(labels),
            head.modules(),
            next.outputNames(),
            facts.tokenizer());
    return made(its, next, own);
  }

  /** Around another block with the same inputs and outputs, in which nothing is untrained. */
  Pretrained with(Block block, Arena more) {
    Pretrained.Facts its =
        new Pretrained.Facts(
            facts.name(),
            facts.config(),
            facts.architecture(),
            facts.task(),
            facts.pooling(),
            facts.labels(),
            List.of(),
            facts.outputNames(),
            facts.tokenizer());
    return made(its, block, more);
  }

  Pretrained resized(int tokens) {
    Network ours = ours("be resized");
    if (Bfloat16.is(ours.body().embeddings().parameters().get(0).getArray())) {
      throw new IllegalStateException(
          "'" + facts.name() + "' is in bfloat16\nfix: load it in float32 to resize it");
    }
    int known = from.hasTokenizer() ? from.tokenizer().vocabularySize() : 1;
    if (tokens < known) {
      throw new IllegalArgumentException(
          "tokens\nexpected: at least %,d, %s\nfound: %,d"
              .formatted(
                  known, from.hasTokenizer() ? "those of the tokenizer" : "one row", tokens));
    }
    return configured(ours, config(), tokens);
  }

  Pretrained withDropout(double p) {
    Checks.probability("dropout", p);
    Network ours = ours("change its dropout");
    Head head = ours.head();
    if (head != null && head.drops()) {
      throw new IllegalStateException(
          "'"
              + facts.name()
              + "' has a head with a dropout\nfix: withDropout(...) before classify(...)");
    }
    Config config = config();
    for (String key : architecture().dropouts()) {
      config = config.with(key, p);
    }
    return configured(ours, config, tokens(ours));
  }

  Pretrained withContext(int tokens) {
    Network ours = ours("get a longer context");
    if (!(ours.body() instanceof Llama)) {
      throw new IllegalStateException(
          "'"
              + facts.name()
              + "' cannot get a longer context\nexpected: rotary positions, as Llama has them\nfound: "
              + ours.body().getClass().getSimpleName()
              + "\nfix: cut texts to its length");
    }
    return configured(ours, RotaryScaling.reaching(config(), tokens), tokens(ours));
  }

  private static int tokens(Network ours) {
    return (int) ours.body().embeddings().shape().get(0);
  }

  /** The same weights under another configuration, with so many token embeddings. */
  private Pretrained configured(Network ours, Config config, int tokens) {
    Resizing resizing = new Resizing(ours, architecture(), config, tokens);
    boolean same = tokens == tokens(ours);
    Pretrained.Facts its =
        facts.with(
            same ? config : resizing.config(), facts.task(), facts.pooling(), facts.outputNames());
    Arena own = new Arena();
    return made(its, resizing.network(own), own);
  }

  Pretrained quantized(Storage storage) {
    Arena own = new Arena();
    return made(facts, Quantising.to(storage, from.network(), facts.newModules(), own), own);
  }

  Pretrained dequantized() {
    Arena own = new Arena();
    return made(facts, Quantising.back(Storages.dense(), from.network(), own), own);
  }

  Pretrained pooled(Pooling pooling) {
    Network ours = ours("pool");
    Network next = new Network(ours.body(), new EmbeddingHead(pooling), architecture());
    return new Pretrained(
        facts.with(config(), Task.FEATURES, pooling, next.outputNames()), next, from.memory());
  }

  private Config config() {
    return Objects.requireNonNull(facts.config());
  }

  private Architecture architecture() {
    return Objects.requireNonNull(facts.architecture());
  }

  private Network ours(String what) {
    Block network = from.network();
    if (network instanceof Network ours && facts.architecture() != null && facts.config() != null) {
      return ours;
    }
    throw new IllegalStateException(
        "'"
            + facts.name()
            + "': cannot "
            + what
            + "\nfix: use a model that Models.load(...) made, before it is merged"
            + (network instanceof Overlay ? " or quantized" : ""));
  }
}
