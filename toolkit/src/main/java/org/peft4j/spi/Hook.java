package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A method that acts on what flows through a model rather than on its weights: {@code h' = g(h,
 * theta)} at a closed set of places. Models call every place once per kind, so a new hook changes
 * no model. It is a {@link Reparam} of no site; a method that does both overrides both.
 */
public interface Hook extends Reparam {
  /**
   * A hook in one pass.
   *
   * @param model the sizes of the model, with the paths of the adapted layers
   * @param pass training or not, randomness
   * @param theta its tensors by name
   */
  record View(Anatomy model, Pass pass, Function<String, @Nullable NDArray> theta) {
    /** Whether there is a tensor of that name. */
    public boolean has(String name) {
      return theta.apply(name) != null;
    }

    /** The tensor of that name. */
    public NDArray get(String name) {
      NDArray value = theta.apply(name);
      if (value == null) {
        throw new IllegalArgumentException("no tensor '" + name + "'");
      }
      return value;
    }

    /** x with dropout in training, drawn for {@code where}. */
    public NDArray dropout(String where, double p, NDArray x) {
      return pass.dropout(where, p, x);
    }
  }

  /**
   * The tensors it has in such a model, by the name that a file has them under. Every layer that
   * {@link Anatomy#paths} names is to be adapted.
   */
  void declare(Anatomy model, Declaration theta);

  /**
   * Tokens that it puts in front of every text and that a causal language model is to learn as it
   * learns the text's own; null where it has none.
   */
  default @Nullable OwnTokens ownTokens() {
    return null;
  }

  /** {@link #afterStep(List, long, long)} with what it has instead of sites. */
  default void afterStep(View view, long step, long total) {}

  /** Only where it acts in training alone. */
  @Override
  default boolean mergeable() {
    return false;
  }

  /** Whether it can act in some layers only. */
  default boolean choosesLayers() {
    return false;
  }

  // ---- its file

  /**
   * The entries of its {@code adapter_config.json} that state the model's sizes. They are written
   * beside {@link #toConfig}, and checked against the model when a file is read.
   */
  default Map<String, Object> sizes(Anatomy model) {
    return Map.of();
  }

  /**
   * The {@code target_modules} of its file where these are layers: one for each of {@link
   * Anatomy#paths}; none where a file does not name layers so.
   */
  default List<String> targetModules(Anatomy model) {
    return List.of();
  }

  /** Whether a file's modules beside it lie in the model, not beside it as those of a prompt do. */
  default boolean wrapsModel() {
    return false;
  }

  /** Whether a file may have this tensor, on which nothing depends. */
  default boolean isSpare(Anatomy model, String tensor) {
    return false;
  }

  /**
   * The configuration of the file, when what is saved is not what is trained, such as a prefix
   * without the network that made it. Its tensors are {@link #stored}.
   */
  default Hook filed() {
    return this;
  }

  /** The shape that a file has a tensor of {@link #filed} in. */
  default Shape filedShape(Anatomy model, Declaration.Entry entry) {
    return entry.shape();
  }

  /** The value of a tensor of {@link #filed} as it is saved, in its {@link #filedShape}. */
  default NDArray stored(View view, String tensor) {
    return view.get(tensor);
  }

  /** What a tensor that was {@link #stored} is here. */
  default NDArray restored(Anatomy model, Declaration.Entry entry, NDArray filed) {
    return filed;
  }

  // ---- where it acts

  /** Whether it goes by what the model makes of the inputs in a first pass, see {@link #ahead}. */
  default boolean looksAhead() {
    return false;
  }

  /** Whether texts are read a second time for it, with a cache beside the model's own. */
  default boolean readsTwice() {
    return looksAhead();
  }

  /**
   * What it keeps of the last hidden states {@code [batch, length, hidden]} of a first pass, for
   * the pass proper to have as {@link Pass#ahead}.
   */
  default NDArray ahead(View view, NDArray hidden) {
    return hidden;
  }

  /** Number of virtual tokens that {@link #embeddings} puts in front of a text. */
  default int promptTokens() {
    return 0;
  }

  /** Number of virtual tokens that {@link #keysValues} puts in front of a text's own. */
  default int prefixTokens() {
    return 0;
  }

  /** Token embeddings {@code [batch, length, hidden]} at the start of a text, maybe lengthened. */
  default NDArray embeddings(View view, Context context, NDArray x) {
    return x;
  }

  /** Hidden states {@code [batch, length, hidden]} in front of a stack's first layer. */
  default NDArray entering(View view, Context context, NDArray h) {
    return h;
  }

  /** Keys and values of one layer at the start of a text, maybe lengthened. */
  default KeysValues keysValues(View view, Context context, Place at, KeysValues kv) {
    return kv;
  }

  /** One attention, or null to leave it as it is. */
  default @Nullable NDArray attention(View view, Context context, Place at, Attending a) {
    return null;
  }

  /** What the model goes on with after a sublayer, or null to leave it as it is. */
  default @Nullable NDArray sublayer(View view, Context context, Place at, Sublayer s) {
    return null;
  }

  /** Hidden states {@code [batch, length, hidden]} after a layer. */
  default NDArray layer(View view, Context context, Place at, NDArray h) {
    return h;
  }

  // ---- what it can do without the model's layers

  /**
   * Weight in the training loss of the loss that its {@link #detached} states have under the
   * model's head; 0 for none.
   */
  default double auxiliaryLossWeight() {
    return 0;
  }

  /** Last hidden states {@code [batch, length, hidden]} by its own tensors; null if it has none. */
  default @Nullable NDArray detached(View view, Context context) {
    return null;
  }

  /** Size of the smaller model whose states these are; null if they are no such model's. */
  default Mirror.@Nullable Size mirror() {
    return null;
  }

  /** A tensor of that model by its name there; null where the model's own one serves. */
  default @Nullable NDArray mirrored(View view, String tensor) {
    return null;
  }

  /** From its states to the model's, {@code [hidden, its hidden]}; null where they are as wide. */
  default @Nullable NDArray projection(View view) {
    return null;
  }

  /** The weight and bias that a module of a classifier has behind {@link #detached} states. */
  default @Nullable Weight detachedHead(View view, Site module) {
    return null;
  }

  // ---- as a method of no site

  @Override
  default Set<Kind> kinds() {
    return Set.of();
  }

  @Override
  default void declare(Site site, Declaration theta) {}

  @Override
  default Map<Site, Reparam> plan(List<Site> sites) {
    return Map.of();
  }

  @Override
  default Weight effective(At at) {
    return new Weight(at.w0(), at.b0());
  }
}
