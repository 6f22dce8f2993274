package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Reparam;

/**
 * Which adapters act, site by site: an immutable picture that a forward pass takes once, so that
 * changing it never disturbs a running one.
 */
final class Active {
  /** An adapter at a site. */
  record Use(Adapter adapter, Attachment attachment) {
    Reparam reparam() {
      return Objects.requireNonNull(attachment.reparam());
    }
  }

  private final List<Adapter> adapters;
  private final List<Adapter> hooks;
  private final IdentityHashMap<Frozen, List<Use>> uses = new IdentityHashMap<>();
  private final IdentityHashMap<Frozen, Frozen> merged;
  private final IdentityHashMap<Parameter, Frozen> holders = new IdentityHashMap<>();
  private final List<Integer> tasks;

  private Active(
      List<Adapter> adapters, IdentityHashMap<Frozen, Frozen> merged, List<Integer> tasks) {
    this.tasks = List.copyOf(tasks);
    this.adapters = List.copyOf(adapters);
    this.hooks = adapters.stream().filter(a -> a.hook() != null).toList();
    this.merged = merged;
  }

  /** None: the base alone. */
  static Active none() {
    return new Active(List.of(), new IdentityHashMap<>(), List.of());
  }

  /**
   * The given adapters together.
   *
   * @throws IllegalArgumentException where two of them meet at a site and their effects do not
   *     simply add
   */
  static Active of(List<Adapter> adapters) {
    Active out = new Active(adapters, new IdentityHashMap<>(), List.of());
    List<String> ahead =
        out.hooks.stream()
            .filter(a -> Objects.requireNonNull(a.hook()).readsTwice())
            .map(a -> a.name)
            .toList();
    if (ahead.size() > 1) {
      throw new IllegalArgumentException(
          "adapters "
              + ahead
              + " cannot be active together\nfound: each reads texts a second time"
              + "\nfix: use one at a time");
    }
    for (Adapter adapter : adapters) {
      for (Attachment a : adapter.attachments.values()) {
        Frozen key = a.site().frozen();
        List<Use> at = out.uses.computeIfAbsent(key, k -> new ArrayList<>());
        at.add(new Use(adapter, a));
        if (at.size() > 1 && !at.stream().allMatch(u -> u.attachment().sums())) {
          throw new IllegalArgumentException(
              "adapters '"
                  + at.get(0).adapter().name
                  + "' and '"
                  + adapter.name
                  + "' cannot be active together\nfound: both change "
                  + a.site().path()
                  + ", and their effects do not simply add (whole modules, biases, or a method that"
                  + " is no sum)\n"
                  + "fix: use one at a time, or combine(...) them into one");
        }
        key.parameters().forEach(p -> out.holders.put(p, key));
      }
    }
    return out;
  }

  /** The same adapters with these weights standing in for theirs. */
  Active with(IdentityHashMap<Frozen, Frozen> mergedWeights) {
    return copy(mergedWeights, tasks);
  }

  /** The same for texts of these tasks, see {@link org.peft4j.spi.Pass#tasks}. */
  Active on(List<Integer> others) {
    return others.equals(tasks) ? this : copy(merged, others);
  }

  private Active copy(IdentityHashMap<Frozen, Frozen> mergedWeights, List<Integer> of) {
    Active out = new Active(adapters, mergedWeights, of);
    out.uses.putAll(uses);
    out.holders.putAll(holders);
    return out;
  }

  List<Integer> tasks() {
    return tasks;
  }

  List<Adapter> adapters() {
    return adapters;
  }

  /** The adapters that are hooks, in the order in which they act. */
  List<Adapter> hooks() {
    return hooks;
  }

  /** The adapters whose effect weights cannot hold. */
  List<Adapter> unmergeable() {
    return adapters.stream().filter(a -> !a.reparam.mergeable()).toList();
  }

  List<Use> at(Frozen frozen) {
    return uses.getOrDefault(frozen, List.of());
  }

  /** The sites at which something acts. */
  Iterable<Frozen> frozen() {
    return uses.keySet();
  }

  @Nullable Frozen merged(Frozen frozen) {
    return merged.get(frozen);
  }

  boolean isMerged() {
    return !merged.isEmpty();
  }

  /** The adapted weight that is stored in this parameter, or null. */
  @Nullable Frozen holder(Parameter parameter) {
    return holders.get(parameter);
  }

  /** Whether {@code array} is the value of some parameter rather than a result. */
  boolean isStored(NDArray array) {
    for (Adapter adapter : adapters) {
      for (Tensor t : adapter.tensors().values()) {
        if (t.parameter().isInitialized() && t.parameter().getArray() == array) {
          return true;
        }
      }
    }
    for (Parameter p : holders.keySet()) {
      if (p.isInitialized() && p.getArray() == array) {
        return true;
      }
    }
    return false;
  }
}
