package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.TensorSource;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * Scores of a decoder's next token, by {@code lm_head} or by the tied token embeddings; T5 scales
 * the states by {@code hidden^-0.5} where the two are tied by its configuration.
 */
final class Seq2SeqHead extends Head {
  private static final String OWN = "lm_head.weight";
  private static final String SHARED = "shared.weight";

  private final Projection projection;
  private final double scale;
  private final boolean tied;

  private Seq2SeqHead(Projection projection, double scale, boolean tied) {
    this.scale = scale;
    this.tied = tied;
    this.projection = addChildBlock("lm_head", projection);
  }

  /**
   * The head of {@code body}.
   *
   * @param source the file; null where there is none
   */
  static Seq2SeqHead of(Config config, Body body, @Nullable TensorSource source) {
    double scale = scaled(config) ? Math.pow(body.hiddenSize(), -0.5) : 1;
    return of(body, config.size("vocab_size"), scale, tied(config, source));
  }

  private static Seq2SeqHead of(Body body, int tokens, double scale, boolean tied) {
    Projection p =
        tied
            ? Projection.tied(body.embeddings(), "head")
            : new Projection(body.hiddenSize(), tokens, false, "head");
    return new Seq2SeqHead(p, scale, tied);
  }

  /** The same head on another body, for so many tokens. */
  Seq2SeqHead on(Body body, int tokens) {
    return of(body, tokens, scale, tied);
  }

  /** Whether states are scaled: T5's way, unless its configuration unties the two. */
  static boolean scaled(Config config) {
    return config.modelType().equals("t5")
        && config.flag("scale_decoder_outputs", config.flag("tie_word_embeddings", true));
  }

  /** Configurations call models tied that are not: a file with two different tables decides. */
  private static boolean tied(Config config, @Nullable TensorSource source) {
    boolean said = config.flag("tie_word_embeddings", true);
    if (source == null) {
      return said;
    }
    if (!source.names().contains(OWN)) {
      return true;
    }
    return said && (!source.names().contains(SHARED) || same(source));
  }

  private static boolean same(TensorSource source) {
    try (Scope scope = Scope.open();
        ai.djl.ndarray.NDManager manager = Torch.newManager()) {
      return source.load(OWN, manager).contentEquals(source.load(SHARED, manager));
    }
  }

  @Override
  public NDArray apply(Pass pass, Body body, Inputs in, NDArray hidden) {
    return projection.apply(pass, scale == 1 ? hidden : Scalars.mul(hidden, scale));
  }

  @Override
  public Task task() {
    return Task.SEQ2SEQ_LM;
  }
}
