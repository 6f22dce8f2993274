package org.peft4j.spi;

import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The tensors a method has at one site, or shares between sites: named, shaped, in order, and not
 * yet allocated.
 */
public final class Declaration {
  /** What becomes of a tensor. */
  public enum Role {
    /** Trained and saved. */
    TRAINED,
    /** Trained; a file has it within another tensor, so that it begins anew when one is loaded. */
    FOLDED,
    /** Constant and saved. */
    SAVED,
    /** Constant and saved; computed anew from W0 where a file of others does not have it. */
    OPTIONAL,
    /** Constant and computed anew from the seed or from W0 when an adapter is loaded. */
    DERIVED,
    /** Constant and computed from W0 and shared tensors, again once a file gave these. */
    FOLLOWING,
    /** Changed by the method itself in training; part of a checkpoint, not of the adapter file. */
    STATE,
    /** Changed by the method itself in training; part of a checkpoint and saved. */
    ACCUMULATED;

    public boolean isTrained() {
      return this == TRAINED || this == FOLDED;
    }

    /** Whether an adapter file has it. */
    public boolean isFiled() {
      return switch (this) {
        case TRAINED, SAVED, OPTIONAL, ACCUMULATED -> true;
        case FOLDED, DERIVED, FOLLOWING, STATE -> false;
      };
    }
  }

  /**
   * One declared tensor.
   *
   * @param name as Hugging Face writes it after the module path, such as {@code lora_A.weight}
   */
  public record Entry(String name, Shape shape, Role role, Init init) {}

  private final List<Entry> entries = new ArrayList<>();
  private final Map<String, Site> lent = new LinkedHashMap<>();

  public Declaration trained(String name, Shape shape, Init init) {
    return add(name, shape, Role.TRAINED, init);
  }

  public Declaration folded(String name, Shape shape, Init init) {
    return add(name, shape, Role.FOLDED, init);
  }

  public Declaration saved(String name, Shape shape, Init init) {
    return add(name, shape, Role.SAVED, init);
  }

  public Declaration optional(String name, Shape shape, Init init) {
    return add(name, shape, Role.OPTIONAL, init);
  }

  public Declaration derived(String name, Shape shape, Init init) {
    return add(name, shape, Role.DERIVED, init);
  }

  public Declaration following(String name, Shape shape, Init init) {
    return add(name, shape, Role.FOLLOWING, init);
  }

  public Declaration state(String name, Shape shape) {
    return add(name, shape, Role.STATE, Init.ZEROS);
  }

  public Declaration accumulated(String name, Shape shape, Init init) {
    return add(name, shape, Role.ACCUMULATED, init);
  }

  /** A tensor that is the one which an earlier site declares under the same name. */
  public Declaration of(Site owner, String name) {
    lent.put(name, owner);
    return this;
  }

  private Declaration add(String name, Shape shape, Role role, Init init) {
    if (entries.stream().anyMatch(e -> e.name().equals(name))) {
      throw new IllegalArgumentException("tensor '" + name + "' is declared twice");
    }
    entries.add(new Entry(name, shape, role, init));
    return this;
  }

  /** Whose tensors it uses beside its own {@link #entries}, by name. */
  public Map<String, Site> lent() {
    return Collections.unmodifiableMap(lent);
  }

  /** In order of declaration. */
  public List<Entry> entries() {
    return List.copyOf(entries);
  }

  /** Number of trained elements. */
  public long trainable() {
    return entries.stream()
        .filter(e -> e.role().isTrained())
        .mapToLong(e -> e.shape().size())
        .sum();
  }
}
