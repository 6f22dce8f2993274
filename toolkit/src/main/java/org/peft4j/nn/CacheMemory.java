package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import java.util.function.Supplier;
import org.peft4j.spi.Context;
import org.peft4j.spi.KeysValues;

/** What a cache keeps of texts: numbers of theirs among the keys and values that do not change. */
public record CacheMemory(KvCache cache) implements Context.Memory {
  @Override
  public NDArray once(String name, Supplier<NDArray> make) {
    KeysValues both =
        cache.once(
            name,
            () -> {
              NDArray each = make.get();
              NDArray wide = each.reshape(each.getShape().get(0), 1, 1, 1);
              return new KeysValues(wide, wide);
            });
    return both.keys().reshape(-1, 1);
  }
}
