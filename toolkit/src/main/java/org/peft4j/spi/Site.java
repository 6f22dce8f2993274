package org.peft4j.spi;

import ai.djl.ndarray.types.Shape;
import org.jspecify.annotations.Nullable;

/**
 * One place of a model where weights can be adapted.
 *
 * @param path dotted module path as Hugging Face writes it, such as {@code
 *     encoder.layer.0.attention.self.query}
 * @param kind what it does with its weight
 * @param role canonical role ({@code q k v o gate up down fc1 fc2 embed head router}), or null
 * @param layer index of the layer it lies in (the first number in the path), -1 outside of the
 *     layers
 * @param frozen the frozen weight and bias
 * @param tiedTo the other site's weight whose tensor this one shares, or null
 */
public record Site(
    String path,
    Kind kind,
    @Nullable String role,
    int layer,
    Frozen frozen,
    @Nullable Frozen tiedTo) {
  /** The role of what sends tokens to experts; PEFT takes it for a parameter, not for a layer. */
  public static final String ROUTER = "router";

  /** A site with a tensor of its own. */
  public Site(String path, Kind kind, @Nullable String role, int layer, Frozen frozen) {
    this(path, kind, role, layer, frozen, null);
  }

  /** Shape of the weight. */
  public Shape shape() {
    return frozen.shape();
  }

  /**
   * Output size: rows of a linear weight (of one expert's), output channels of a convolution, width
   * of an embedding.
   */
  public long out() {
    return shape().get(kind == Kind.EMBEDDING || kind == Kind.EXPERTS ? 1 : 0);
  }

  /**
   * Input size: columns of a linear weight, input channels per group of a convolution, vocabulary
   * of an embedding.
   */
  public long in() {
    return switch (kind) {
      case EMBEDDING, NORM -> shape().get(0);
      case EXPERTS -> shape().get(2);
      case OTHER -> shape().get(shape().dimension() - 1);
      case LINEAR, CONV -> shape().get(1);
    };
  }

  public boolean hasBias() {
    return frozen.biasSize() > 0;
  }

  /** The layer index in a path: its first all-digit segment, -1 if there is none. */
  public static int layerOf(String path) {
    for (String segment : path.split("\\.")) {
      if (!segment.isEmpty() && segment.chars().allMatch(Character::isDigit)) {
        return Integer.parseInt(segment);
      }
    }
    return -1;
  }

  @Override
  public String toString() {
    return path + " " + shape();
  }
}
