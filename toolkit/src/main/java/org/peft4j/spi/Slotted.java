package org.peft4j.spi;

import org.jspecify.annotations.Nullable;

/**
 * A block of our own models that is a site: it computes through {@link Pass#apply}, so adapters act
 * on it in their activation form.
 */
public interface Slotted {
  Kind kind();

  /** Canonical role such as {@code q}, or null. */
  @Nullable String role();

  Frozen frozen();

  /**
   * The other site whose tensor this one shares, or null. Each keeps what is attached to it;
   * merging makes two tensors of the one.
   */
  default @Nullable Frozen tiedTo() {
    return null;
  }
}
