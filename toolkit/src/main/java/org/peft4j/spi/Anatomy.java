package org.peft4j.spi;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

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
 * @param paths module path of every layer, those of an encoder first
 * @param context number of positions that it is made for; 0 where that is not known
 * @param sites its linear modules; none before a method is attached to it
 * @param mirrors makes smaller stacks of its kind; null where that is not possible
 */
public record Anatomy(
    int hidden,
    int layers,
    int heads,
    int groups,
    int headSize,
    int stacks,
    Frozen embeddings,
    List<String> paths,
    int context,
    List<Site> sites,
    Mirror.@Nullable Maker mirrors) {
  public Anatomy {
    paths = List.copyOf(paths);
    sites = List.copyOf(sites);
  }

  /** Of a model whose context and modules are not known. */
  public Anatomy(
      int hidden,
      int layers,
      int heads,
      int groups,
      int headSize,
      int stacks,
      Frozen embeddings,
      List<String> paths) {
    this(hidden, layers, heads, groups, headSize, stacks, embeddings, paths, 0, List.of(), null);
  }

  /** The same with the paths of these layers alone; of all if none is given. */
  public Anatomy within(Set<Integer> numbers) {
    List<String> some =
        paths.stream().filter(p -> numbers.isEmpty() || numbers.contains(Site.layerOf(p))).toList();
    return new Anatomy(
        hidden, layers, heads, groups, headSize, stacks, embeddings, some, context, sites, mirrors);
  }

  /** The same with other token embeddings. */
  public Anatomy with(Frozen other) {
    return new Anatomy(
        hidden, layers, heads, groups, headSize, stacks, other, paths, context, sites, mirrors);
  }

  /** The same with a known context. */
  public Anatomy reaching(int positions) {
    return new Anatomy(
        hidden,
        layers,
        heads,
        groups,
        headSize,
        stacks,
        embeddings,
        paths,
        positions,
        sites,
        mirrors);
  }

  /** The same with the linear ones of these modules. */
  public Anatomy of(List<Site> modules) {
    List<Site> linear = modules.stream().filter(s -> s.kind() == Kind.LINEAR).toList();
    return new Anatomy(
        hidden,
        layers,
        heads,
        groups,
        headSize,
        stacks,
        embeddings,
        paths,
        context,
        linear,
        mirrors);
  }

  /** The same with smaller stacks of its kind. */
  public Anatomy mirroredBy(Mirror.Maker maker) {
    return new Anatomy(
        hidden, layers, heads, groups, headSize, stacks, embeddings, paths, context, sites, maker);
  }
}
