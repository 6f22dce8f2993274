package org.peft4j.data;

import java.util.HashMap;
import java.util.Map;

/** Items that share a key, directly or through others (union-find, path halving). */
final class Components {
  private final int[] parent;
  private final Map<String, Integer> first = new HashMap<>();

  Components(int items) {
    parent = new int[items];
    for (int i = 0; i < items; i++) {
      parent[i] = i;
    }
  }

  /** Joins the item with all others that have the key. */
  void join(int item, String key) {
    int a = root(item);
    int b = root(first.computeIfAbsent(key, k -> item));
    parent[Math.max(a, b)] = Math.min(a, b);
  }

  /** The least item of the component. */
  int root(int item) {
    while (parent[item] != item) {
      parent[item] = parent[parent[item]];
      item = parent[item];
    }
    return item;
  }
}
