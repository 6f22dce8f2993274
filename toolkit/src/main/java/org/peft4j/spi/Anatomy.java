package org.peft4j.spi;

/**
 * The sizes of a model that hooks fit their tensors to.
 *
 * @param hidden width of the hidden states and of the token embeddings
 * @param layers number of layers of the stack that text goes into (the decoder where there are two)
 * @param heads number of query heads
 * @param groups number of heads that keys and values have
 * @param headSize width of one head
 * @param stacks 2 for an encoder with a decoder, else 1
 * @param embeddings the token embeddings {@code [vocabulary, hidden]}
 * @param paths module path of every layer, in the order of {@link Place#layer}
 */
public record Anatomy(
    int hidden,
    int layers,
    int heads,
    int groups,
    int headSize,
    int stacks,
    Frozen embeddings,
    java.util.List<String> paths) {
  public Anatomy {
    paths = java.util.List.copyOf(paths);
  }
}
