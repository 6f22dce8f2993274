package org.peft4j.adapter;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;

/**
 * The pass in which the active adapters act: our own blocks get the activation form, a foreign
 * block that asks for its parameters gets the weight form, computed once per pass.
 */
final class AdapterPass extends Pass {
  private final Active active;
  private final Pass below;
  private final Seed seed;
  private final NDManager owner;
  private final IdentityHashMap<Frozen, Weight> weights = new IdentityHashMap<>();

  /** The manager {@code owner} gets the arrays made on the way. */
  AdapterPass(ParameterStore values, boolean training, Active active, Seed seed, NDManager owner) {
    super(values, training);
    this.active = active;
    this.below = Pass.of(values, training);
    this.seed = seed;
    this.owner = owner;
  }

  @Override
  public Seed seed() {
    return seed;
  }

  Pass below() {
    return below;
  }

  @Override
  public NDArray apply(Frozen frozen, NDArray x) {
    Frozen merged = active.merged(frozen);
    if (merged != null) {
      return below.apply(merged, x);
    }
    List<Active.Use> uses = active.at(frozen);
    if (uses.isEmpty()) {
      return below.apply(frozen, x);
    }
    try (Scope scope = Scope.open()) {
      NDArray y;
      At first = at(uses.get(0));
      Attachment a = uses.get(0).attachment();
      if (a.reparam() == null) {
        y = first.frozen(x);
      } else if (uses.size() == 1) {
        y = a.reparam().forward(first, x);
      } else {
        y = first.frozen(x);
        for (Active.Use use : uses) {
          y = y.add(((Additive) use.reparam()).branch(at(use), x));
        }
      }
      scope.keep(y);
      y.attach(owner);
      return y;
    }
  }

  @Override
  public Weight effective(Frozen frozen) {
    Frozen merged = active.merged(frozen);
    if (merged != null) {
      return below.effective(merged);
    }
    List<Active.Use> uses = active.at(frozen);
    if (uses.isEmpty()) {
      return below.effective(frozen);
    }
    Weight known = weights.get(frozen);
    if (known == null) {
      known = computeWeight(uses);
      weights.put(frozen, known);
    }
    return known;
  }

  private Weight computeWeight(List<Active.Use> uses) {
    try (Scope scope = Scope.open()) {
      At first = at(uses.get(0));
      Weight w =
          uses.get(0).attachment().reparam() == null
              ? new Weight(first.w0(), first.b0())
              : uses.get(0).reparam().effective(first);
      for (Active.Use use : uses.subList(1, uses.size())) {
        At at = at(use);
        Additive method = (Additive) use.reparam();
        NDArray db = method.biasDelta(at);
        NDArray b = w.bias();
        w =
            new Weight(
                w.weight().add(method.delta(at)), db == null ? b : b == null ? db : b.add(db));
      }
      return new Weight(hand(scope, w.weight()), w.bias() == null ? null : hand(scope, w.bias()));
    }
  }

  /**
   * Lets a result outlive the scope; a parameter's own array is not a result and stays with its
   * owner.
   */
  private NDArray hand(Scope scope, NDArray array) {
    if (!active.isStored(array)) {
      scope.keep(array);
      array.attach(owner);
    }
    return array;
  }

  private At at(Active.Use use) {
    return use.adapter().at(use.attachment(), this, below);
  }

  @Override
  public NDArray getValue(@Nullable Parameter parameter, Device device, boolean training) {
    Frozen frozen = parameter == null ? null : active.holder(parameter);
    if (frozen == null) {
      return values().getValue(parameter, device, training);
    }
    Weight w = effective(frozen);
    if (frozen.parameters().get(0) == parameter) {
      return w.weight();
    }
    if (w.bias() == null) {
      throw new IllegalStateException("no bias for " + frozen);
    }
    return w.bias();
  }
}
