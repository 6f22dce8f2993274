package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.KeysValues;
import org.peft4j.tensor.Scope;

/**
 * A cache that is given as arrays and gives arrays back, as a graph's inputs and outputs are.
 * Layers are met in their order.
 */
public final class ArrayCache implements KvCache {
  private final NDManager owner;
  private final List<KeysValues> past;
  private final List<KeysValues> across;
  private final List<KeysValues> present = new ArrayList<>();
  private final Map<String, KeysValues> made = new LinkedHashMap<>();
  private int asked;

  /**
   * A cache of earlier tokens.
   *
   * @param owner of what it gives back
   * @param past of each layer, {@code [batch, heads, past, head size]}; empty at a text's start
   * @param across of each layer to an encoder's output; empty where they are still to be made
   */
  public ArrayCache(NDManager owner, List<KeysValues> past, List<KeysValues> across) {
    this.owner = owner;
    this.past = List.copyOf(past);
    this.across = List.copyOf(across);
  }

  @Override
  public long length() {
    return past.isEmpty() ? 0 : past.get(0).keys().getShape().get(2);
  }

  @Override
  public KeysValues append(int layer, KeysValues kv) {
    KeysValues before = earlier();
    KeysValues all = before == null ? kv : before.then(kv);
    add(all);
    return all;
  }

  /** Those of earlier tokens of the layer whose turn it is; null at a text's start. */
  @Nullable KeysValues earlier() {
    return past.isEmpty() ? null : past.get(present.size());
  }

  /** Takes those of all tokens, of the layer whose turn it is. */
  void add(KeysValues all) {
    present.add(kept(all));
  }

  @Override
  public KeysValues once(String name, Supplier<KeysValues> make) {
    return across.isEmpty()
        ? made.computeIfAbsent(name, n -> kept(make.get()))
        : across.get(asked++);
  }

  private KeysValues kept(KeysValues kv) {
    return new KeysValues(kept(kv.keys()), kept(kv.values()));
  }

  private NDArray kept(NDArray a) {
    return Scope.giveTo(owner, a);
  }

  /** Keys and values of all tokens, layer by layer. */
  public List<KeysValues> present() {
    return present;
  }

  /** What was made of an encoder's output, layer by layer. */
  public List<KeysValues> made() {
    return List.copyOf(made.values());
  }
}
