package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.KeysValues;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CacheWrite;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * A cache in buffers {@code [batch, heads, capacity, head size]} that are written in place and grow
 * by doubling. For inference only; one text (or batch of texts) at a time.
 */
public final class GrowingCache implements KvCache, AutoCloseable {
  private static final long FIRST_CAPACITY = 128;

  private final NDManager manager = Torch.newManager();
  private final Map<Integer, Layer> layers = new HashMap<>();
  private final Map<String, KeysValues> constants = new LinkedHashMap<>();
  private @Nullable GrowingCache beside;

  private static final class Layer {
    NDArray keys;
    NDArray values;
    long length;

    Layer(NDArray keys, NDArray values) {
      this.keys = keys;
      this.values = values;
    }
  }

  @Override
  public long length() {
    return layers.values().stream().mapToLong(l -> l.length).min().orElse(0);
  }

  /** The results are views. */
  @Override
  public KeysValues append(int layer, KeysValues kv) {
    long n = kv.keys().getShape().get(2);
    Layer l = roomFor(layer, kv, n);
    long filled = l.length;
    NDArray keys = CacheWrite.append(l.keys, kv.keys(), filled);
    NDArray values = CacheWrite.append(l.values, kv.values(), filled);
    l.length = filled + n;
    return new KeysValues(keys, values);
  }

  /**
   * The buffers {@code [batch, heads, capacity, head size]} of a layer that holds tokens, which
   * count one more from now on: the caller is to write it.
   */
  KeysValues room(int layer) {
    Layer known = Objects.requireNonNull(layers.get(layer));
    Layer l = roomFor(layer, new KeysValues(known.keys, known.values), 1);
    l.length++;
    return new KeysValues(l.keys, l.values);
  }

  /**
   * @param like of the layer's batch, heads and head size
   */
  private Layer roomFor(int layer, KeysValues like, long more) {
    Layer l = layers.get(layer);
    long capacity = l == null ? 0 : l.keys.getShape().get(2);
    long filled = l == null ? 0 : l.length;
    if (l != null && filled + more <= capacity) {
      return l;
    }
    long next = Math.max(Math.max(FIRST_CAPACITY, 2 * capacity), filled + more);
    Layer grown = new Layer(buffer(like.keys(), next), buffer(like.values(), next));
    if (l != null) {
      move(l.keys, grown.keys, filled);
      move(l.values, grown.values, filled);
    }
    grown.length = filled;
    layers.put(layer, grown);
    return grown;
  }

  private NDArray buffer(NDArray like, long capacity) {
    Shape s = like.getShape();
    Shape shape = new Shape(s.get(0), s.get(1), capacity, s.get(3));
    return Scope.giveTo(manager, manager.zeros(shape, DataType.FLOAT32));
  }

  private static void move(NDArray from, NDArray to, long filled) {
    try (Scope scope = Scope.open()) {
      CacheWrite.append(to, from.get(":, :, :{}", filled), 0);
    }
    from.close();
  }

  @Override
  public KeysValues once(String name, Supplier<KeysValues> make) {
    KeysValues known = constants.get(name);
    if (known == null) {
      KeysValues made = make.get();
      known = new KeysValues(own(made.keys()), own(made.values()));
      constants.put(name, known);
    }
    return known;
  }

  @Override
  public KvCache beside() {
    if (beside == null) {
      beside = new GrowingCache();
    }
    return beside;
  }

  private NDArray own(NDArray a) {
    return Scope.giveTo(manager, Buffers.copyOf(manager, a));
  }

  /** Goes on with these rows of the batch, in this order; a row may be taken several times. */
  public void select(long[] rows) {
    for (Layer l : layers.values()) {
      l.keys = rows(l.keys, rows);
      l.values = rows(l.values, rows);
    }
    if (beside != null) {
      beside.select(rows);
    }
    constants.replaceAll((n, kv) -> new KeysValues(rows(kv.keys(), rows), rows(kv.values(), rows)));
  }

  private NDArray rows(NDArray a, long[] rows) {
    try (Scope scope = Scope.open()) {
      NDArray index = Buffers.create(manager, rows, new Shape(rows.length));
      NDArray out = Scope.giveTo(manager, a.get(index));
      a.close();
      return out;
    }
  }

  @Override
  public void close() {
    if (beside != null) {
      beside.close();
    }
    manager.close();
  }
}
