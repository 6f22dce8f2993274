package org.peft4j.spi;

import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A method about to be attached to a model, as a value: every call returns a new one, printing it
 * tells what it would train, and {@link #apply} does it. Each method's file adds its own options to
 * these, which all methods share.
 *
 * @param <T> the method's configuration
 * @param <S> the subclass, for chaining
 * @param <R> what {@code apply} makes
 */
public abstract class Fluent<T extends Tuner, S extends Fluent<T, S, R>, R> {
  /** What a fluent expression ends in. */
  public interface Target<R> {
    R apply(Tuner tuner, Placement placement, String name, long seed);

    String describe(Tuner tuner, Placement placement);

    List<Site> sites(Tuner tuner, Placement placement);
  }

  /** Everything collected so far. */
  protected record Draft<T extends Tuner, R>(
      T tuner, Placement placement, String name, long seed, Target<R> target) {
    Draft<T, R> tuner(T t) {
      return new Draft<>(t, placement, name, seed, target);
    }

    Draft<T, R> placement(Placement p) {
      return new Draft<>(tuner, p, name, seed, target);
    }
  }

  private final Draft<T, R> draft;
  private final Function<Draft<T, R>, S> anew;

  /**
   * @param anew makes the subclass around another draft
   */
  protected Fluent(Draft<T, R> draft, Function<Draft<T, R>, S> anew) {
    this.draft = draft;
    this.anew = anew;
  }

  protected static <T extends Tuner, R> Draft<T, R> draft(T tuner, Target<R> target) {
    return new Draft<>(tuner, Placement.DEFAULT, "default", 0, target);
  }

  /** Everything collected so far. */
  protected final Draft<T, R> draft() {
    return draft;
  }

  private S with(Draft<T, R> other) {
    return anew.apply(other);
  }

  protected final S with(T tuner) {
    return with(draft.tuner(tuner));
  }

  private S with(Placement placement) {
    return with(draft.placement(placement));
  }

  /** The configuration so far. */
  public final T tuner() {
    return draft.tuner();
  }

  /**
   * What to adapt: roles ({@code q k v o gate up down fc1 fc2 embed head all-linear}), module names
   * as Hugging Face writes them, name suffixes, or {@code regex:...}. Left out, the usual modules
   * of the architecture.
   */
  public final S targets(String... targets) {
    return with(draft.placement().withTargets(List.of(targets)));
  }

  /** What to leave out, in the words of {@link #targets}. */
  public final S exclude(String... names) {
    return with(draft.placement().withExclude(List.of(names)));
  }

  /** Which layers to adapt, from 0. Left out, all. */
  public final S layers(int... layers) {
    Set<Integer> set =
        Arrays.stream(layers).boxed().collect(Collectors.toCollection(LinkedHashSet::new));
    return with(draft.placement().withLayers(set));
  }

  /** The layers from {@code first} up to and including {@code last}. */
  public final S layerRange(int first, int last) {
    return layers(IntStream.rangeClosed(first, last).toArray());
  }

  /** Modules to train as a whole and save with the adapter. A new head is among them by itself. */
  public final S modulesToSave(String... names) {
    return with(draft.placement().withModulesToSave(List.of(names)));
  }

  /** Tokens, by id, whose embeddings to train beside the method; a tied head follows. */
  public final S trainableTokens(int... tokens) {
    List<Integer> ids = Arrays.stream(tokens).boxed().toList();
    return with(draft.placement().withTokens(ids.isEmpty() ? Map.of() : Map.of("embed", ids)));
  }

  /** Which biases to train beside the method; default none. */
  public final S bias(Placement.Bias bias) {
    return with(draft.placement().withBias(bias));
  }

  /** Which biases to train: {@code none}, {@code all} or {@code lora_only}. */
  public final S bias(String bias) {
    return bias(Placement.Bias.of(bias));
  }

  /** Seed of all randomness of the adapter: first values, dropout, order of the data. Default 0. */
  public final S seed(long seed) {
    return with(new Draft<>(draft.tuner(), draft.placement(), draft.name(), seed, draft.target()));
  }

  /** Name of the adapter, where a model is to have several; default {@code default}. */
  public final S named(String name) {
    return with(new Draft<>(draft.tuner(), draft.placement(), name, draft.seed(), draft.target()));
  }

  /** The sites it would adapt, without doing anything. */
  public final List<Site> sites() {
    return draft.target().sites(draft.tuner(), draft.placement());
  }

  /** Attaches the method to the model. */
  public final R apply() {
    return draft.target().apply(draft.tuner(), draft.placement(), draft.name(), draft.seed());
  }

  @Override
  public final String toString() {
    return draft.target().describe(draft.tuner(), draft.placement());
  }
}
