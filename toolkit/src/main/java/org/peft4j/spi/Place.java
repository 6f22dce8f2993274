package org.peft4j.spi;

/**
 * A place in a model where hooks act: a layer, or a part of one.
 *
 * @param path dotted module path of the layer, such as {@code encoder.layer.3}
 * @param layer its number among all layers of the model, from 0; a decoder's follow its encoder's
 * @param part what of it
 */
public record Place(String path, int layer, Part part) {
  /** Parts of a layer. */
  public enum Part {
    /** Attention of a sequence to itself. */
    SELF_ATTENTION,
    /** Attention of a decoder to the encoder's output. */
    CROSS_ATTENTION,
    FEED_FORWARD,
    /** The layer as a whole. */
    LAYER
  }

  /** The same layer's other part. */
  public Place at(Part other) {
    return new Place(path, layer, other);
  }
}
