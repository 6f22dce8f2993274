package org.peft4j.nn;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.training.ParameterStore;
import ai.djl.util.Pair;
import ai.djl.util.PairList;
import java.util.IdentityHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Attending;
import org.peft4j.spi.Context;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.KeysValues;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Slotted;
import org.peft4j.spi.Sublayer;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Seed;

/**
 * A block with some of its weights replaced: what merging and quantising make. It mirrors the tree
 * it was made from, shares the untouched tensors with it, costs one look-up per weight, and can
 * itself be adapted, merged and exported.
 */
public class Overlay extends AbstractBlock {
  private final Block inner;
  private final Replacements replacements;

  /** What stands for what. */
  private record Replacements(
      IdentityHashMap<Frozen, Frozen> frozen, IdentityHashMap<Parameter, Parameter> parameters) {
    Frozen of(Frozen f) {
      Frozen r = frozen.get(f);
      return r == null ? f : r;
    }

    @Nullable Parameter of(@Nullable Parameter p) {
      Parameter r = p == null ? null : parameters.get(p);
      return r == null ? p : r;
    }
  }

  private Overlay(Block inner, Replacements replacements) {
    super((byte) 1);
    this.inner = inner;
    this.replacements = replacements;
    for (Pair<String, Block> child : inner.getChildren()) {
      children.add(child.getKey(), mirror(child.getValue(), replacements));
    }
  }

  /**
   * {@code block} with these weights in place of its own; an overlay of an overlay is one overlay.
   */
  public static Overlay of(Block block, IdentityHashMap<Frozen, Frozen> weights) {
    IdentityHashMap<Parameter, Parameter> parameters = new IdentityHashMap<>();
    weights.forEach(
        (from, to) -> {
          parameters.put(from.parameters().get(0), to.parameters().get(0));
          if (from.biasParameter() != null && to.biasParameter() != null) {
            parameters.put(from.biasParameter(), to.biasParameter());
          }
        });
    if (block instanceof Overlay below) {
      Replacements r = below.replacements;
      return mirror(
          below.inner, new Replacements(after(r.frozen, weights), after(r.parameters, parameters)));
    }
    return mirror(block, new Replacements(weights, parameters));
  }

  /** The one map that does what {@code first} and then {@code second} do. */
  private static <T> IdentityHashMap<T, T> after(
      IdentityHashMap<T, T> first, IdentityHashMap<T, T> second) {
    IdentityHashMap<T, T> out = new IdentityHashMap<>(second);
    first.forEach(
        (from, to) -> {
          T last = out.remove(to);
          out.put(from, last == null ? to : last);
        });
    return out;
  }

  private static Overlay mirror(Block block, Replacements replacements) {
    return block instanceof Slotted slot
        ? new OfSlot(block, slot, replacements)
        : new Overlay(block, replacements);
  }

  /** The block whose computation this is, for asking about its type. */
  public static Block unwrap(Block block) {
    return block instanceof Overlay o ? o.inner : block;
  }

  @Override
  public ParameterList getDirectParameters() {
    ParameterList out = new ParameterList();
    for (Pair<String, Parameter> p : inner.getDirectParameters()) {
      out.add(p.getKey(), replacements.of(p.getValue()));
    }
    return out;
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore store,
      NDList inputs,
      boolean training,
      @Nullable PairList<String, Object> params) {
    return inner.forward(new OverlayPass(store, training), inputs, training, params);
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    return inner.getOutputShapes(inputShapes);
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType type, Shape... inputShapes) {
    // every parameter has its value
  }

  private static final class OfSlot extends Overlay implements Slotted {
    private final Slotted slot;
    private final Frozen frozen;

    OfSlot(Block inner, Slotted slot, Replacements replacements) {
      super(inner, replacements);
      this.slot = slot;
      this.frozen = replacements.of(slot.frozen());
    }

    @Override
    public Kind kind() {
      return slot.kind();
    }

    @Override
    public @Nullable String role() {
      return slot.role();
    }

    @Override
    public Frozen frozen() {
      return frozen;
    }

    @Override
    public @Nullable Frozen tiedTo() {
      Frozen other = slot.tiedTo();
      return other == null || frozen != slot.frozen() || super.replacements.of(other) != other
          ? null
          : other;
    }

    /** The weight's own parameters: a merged tied tensor is no longer the one it was tied to. */
    @Override
    public ParameterList getDirectParameters() {
      ParameterList out = new ParameterList();
      frozen.parameters().forEach(p -> out.add(p.getName(), p));
      return out;
    }
  }

  private final class OverlayPass extends Pass {
    private final Pass below;

    OverlayPass(ParameterStore values, boolean training) {
      super(values, training);
      below = Pass.of(values, training);
    }

    @Override
    public NDArray getValue(@Nullable Parameter parameter, Device device, boolean training) {
      return values().getValue(replacements.of(parameter), device, training);
    }

    @Override
    public NDArray apply(Frozen frozen, NDArray x) {
      return below.apply(replacements.of(frozen), x);
    }

    @Override
    public Weight effective(Frozen frozen) {
      return below.effective(replacements.of(frozen));
    }

    @Override
    public Seed seed() {
      return below.seed();
    }

    @Override
    public int promptTokens() {
      return below.promptTokens();
    }

    @Override
    public int prefixTokens() {
      return below.prefixTokens();
    }

    @Override
    public boolean leavesAttention() {
      return below.leavesAttention();
    }

    @Override
    public NDArray embeddings(Context context, NDArray x) {
      return below.embeddings(context, x);
    }

    @Override
    public NDArray entering(Context context, NDArray h) {
      return below.entering(context, h);
    }

    @Override
    public @Nullable NDArray detached(Supplier<Context> context) {
      return below.detached(context);
    }

    @Override
    public KeysValues keysValues(Context context, Place at, KeysValues kv) {
      return below.keysValues(context, at, kv);
    }

    @Override
    public NDArray attention(Context context, Place at, Attending a) {
      return below.attention(context, at, a);
    }

    @Override
    public NDArray sublayer(Context context, Place at, Sublayer s) {
      return below.sublayer(context, at, s);
    }

    @Override
    public NDArray layer(Context context, Place at, NDArray h) {
      return below.layer(context, at, h);
    }
  }
}
