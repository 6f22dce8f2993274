package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** Puts adapters into weights: a new dense weight for each that they change. */
final class Merger {
  private final Active active;
  private final List<Site> sites;

  Merger(Active active, List<Site> sites) {
    this.active = active;
    this.sites = sites;
  }

  /**
   * The changed weights.
   *
   * @param manager for what is made on the way
   * @param owner gets the weights
   */
  IdentityHashMap<Frozen, Frozen> weights(NDManager manager, NDManager owner) {
    requireMergeable();
    IdentityHashMap<Frozen, Frozen> out = new IdentityHashMap<>();
    IdentityHashMap<Frozen, Site> where = new IdentityHashMap<>();
    sites.forEach(s -> where.put(s.frozen(), s));
    try (NDManager temporary = manager.newSubManager()) {
      AdapterPass pass =
          new AdapterPass(
              new ParameterStore(temporary, false),
              false,
              active.with(new IdentityHashMap<>()),
              Seed.of(0),
              temporary);
      for (Frozen f : active.frozen()) {
        Torch.inference(
            () -> {
              try (Scope scope = Scope.open()) {
                out.put(f, dense(f, pass.effective(f), owner, where.get(f)));
              }
              return f;
            });
      }
    }
    return out;
  }

  private void requireMergeable() {
    if (active.adapters().isEmpty()) {
      throw new IllegalStateException("merge: no adapter is active\nfix: use(...) one first");
    }
    for (Adapter a : active.unmergeable()) {
      throw new IllegalStateException(
          "merge: adapter '"
              + a.name
              + "' ("
              + a.reparam.name()
              + ") acts on what flows through the model, so there are no weights to put it into"
              + "\nfix: keep it beside the base; save(dir) writes it, Onnx.export(tuned, file) writes both as one graph");
    }
  }

  private static Dense dense(Frozen original, Weight w, NDManager owner, @Nullable Site site) {
    String path = site == null ? "?" : site.path();
    if (w.bias() != null && original.biasSize() == 0) {
      throw new IllegalStateException(
          "merge: the adapter adds a bias at " + path + ", which has none to put it in");
    }
    if (!finite(w.weight()) || (w.bias() != null && !finite(w.bias()))) {
      throw new IllegalStateException(
          "merge: the merged weight at " + path + " is not finite; nothing was changed");
    }
    Parameter weight = owned(original.parameters().get(0), w.weight(), owner);
    Parameter b0 = original.biasParameter();
    Parameter bias = w.bias() == null || b0 == null ? null : owned(b0, w.bias(), owner);
    return new Dense(weight, bias, original.operation());
  }

  private static boolean finite(NDArray a) {
    return a.isInfinite().logicalOr(a.isNaN()).any().getBoolean() == false;
  }

  private static Parameter owned(Parameter like, NDArray value, NDManager owner) {
    return Parameters.of(
        like.getName(), like.getType(), Scope.giveTo(owner, Buffers.copyOf(owner, value)), false);
  }
}
