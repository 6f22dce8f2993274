package org.peft4j.adapter;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Attending;
import org.peft4j.spi.Context;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Hook;
import org.peft4j.spi.KeysValues;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Site;
import org.peft4j.spi.Sublayer;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

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
  private final Map<String, NDArray> known = new HashMap<>();
  private final @Nullable Adapter read;
  private @Nullable Context context;
  private @Nullable NDArray ahead;
  private boolean detached;

  /** The manager {@code owner} gets the arrays made on the way. */
  AdapterPass(ParameterStore values, boolean training, Active active, Seed seed, NDManager owner) {
    this(values, training, active, seed, owner, null);
  }

  /**
   * A pass over the tokens that the hook {@code read} puts in front of texts, in place of a text.
   */
  AdapterPass(
      ParameterStore values,
      boolean training,
      Active active,
      Seed seed,
      NDManager owner,
      @Nullable Adapter read) {
    super(values, training);
    this.active = active;
    this.below = Pass.of(values, training);
    this.seed = seed;
    this.owner = owner;
    this.read = read;
  }

  @Override
  public Seed seed() {
    return seed;
  }

  @Override
  public List<Integer> tasks() {
    return active.tasks();
  }

  @Override
  public @Nullable NDArray ahead() {
    return ahead;
  }

  /** Asks the hook that looks ahead, if there is one, for what it makes of a first pass. */
  void lookAhead(Supplier<NDArray> hidden) {
    for (Acting a : hooks()) {
      if (a.hook.looksAhead()) {
        try (Scope scope = Scope.open()) {
          NDArray seen = Torch.inference(hidden::get).stopGradient();
          ahead = scope.keep(a.hook.ahead(a.view, seen));
          ahead.attach(owner);
        }
      }
    }
  }

  /** The same, by what a hook has beside the model's layers alone. */
  AdapterPass detach() {
    detached = true;
    return this;
  }

  @Override
  public @Nullable NDArray detached(Supplier<Context> given) {
    if (!detached) {
      return null;
    }
    NDArray own = null;
    context = given.get();
    known.clear();
    for (Acting a : hooks()) {
      own = own == null ? a.hook.detached(a.view, context) : own;
    }
    if (own == null) {
      throw new IllegalStateException("no active adapter has a network of its own to detach");
    }
    return own;
  }

  /** The weight of a module of a classifier behind {@link #detached} states; null for others. */
  private @Nullable Weight detachedHead(Frozen frozen) {
    for (Acting a : detached ? hooks() : List.<Acting>of()) {
      for (Site module : a.view.model().sites()) {
        if (module.frozen() == frozen) {
          return a.hook.detachedHead(a.view, module);
        }
      }
    }
    return null;
  }

  Pass below() {
    return below;
  }

  @Override
  public NDArray apply(Frozen frozen, NDArray x) {
    Weight own = detachedHead(frozen);
    if (own != null) {
      return frozen.operation().apply(x, own.weight(), own.bias());
    }
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
    if (frozen.biasParameter() != parameter) {
      return w.weight();
    }
    if (w.bias() == null) {
      throw new IllegalStateException("no bias for " + frozen);
    }
    return w.bias();
  }

  // ---- hooks

  /** A hook acting. */
  private record Acting(Hook hook, Hook.View view, boolean isRead) {}

  private List<Acting> hooks() {
    List<Acting> out = new ArrayList<>();
    for (Adapter a : active.hooks()) {
      out.add(new Acting(Objects.requireNonNull(a.hook()), a.view(this, below), a == read));
    }
    return out;
  }

  @Override
  public int promptTokens() {
    int n = below.promptTokens();
    for (Adapter a : active.hooks()) {
      n += a == read ? 0 : Objects.requireNonNull(a.hook()).promptTokens();
    }
    return n;
  }

  @Override
  public int prefixTokens() {
    int n = below.prefixTokens();
    for (Adapter a : active.hooks()) {
      n += Objects.requireNonNull(a.hook()).prefixTokens();
    }
    return n;
  }

  @Override
  public boolean leavesAttention() {
    return active.hooks().isEmpty() && below.leavesAttention();
  }

  @Override
  public @Nullable Context context() {
    return context;
  }

  @Override
  public NDArray once(String name, Supplier<NDArray> make) {
    NDArray value = known.get(name);
    if (value == null) {
      value = Scope.giveTo(owner, make.get());
      known.put(name, value);
    }
    return value;
  }

  @Override
  public NDArray embeddings(Context context, NDArray x) {
    this.context = context;
    known.clear();
    NDArray y = below.embeddings(context, x);
    if (context.start()) {
      for (Acting a : hooks()) {
        y = a.hook.embeddings(a.view, context, a.isRead ? y.get(":, :0") : y);
      }
    }
    return y;
  }

  @Override
  public NDArray entering(Context context, NDArray h) {
    NDArray y = below.entering(context, h);
    for (Acting a : hooks()) {
      y = a.hook.entering(a.view, context, y);
    }
    return y;
  }

  @Override
  public KeysValues keysValues(Context context, Place at, KeysValues kv) {
    KeysValues all = below.keysValues(context, at, kv);
    for (Acting a : hooks()) {
      all = a.hook.keysValues(a.view, context, at, all);
    }
    return all;
  }

  @Override
  public NDArray attention(Context context, Place at, Attending attending) {
    NDArray y = null;
    for (Acting a : hooks()) {
      NDArray own = a.hook.attention(a.view, context, at, attending);
      if (own != null && y != null) {
        throw two(at);
      }
      y = own == null ? y : own;
    }
    return y == null ? below.attention(context, at, attending) : y;
  }

  @Override
  public NDArray sublayer(Context context, Place at, Sublayer s) {
    NDArray y = null;
    for (Acting a : hooks()) {
      NDArray own = a.hook.sublayer(a.view, context, at, s);
      if (own != null && y != null) {
        throw two(at);
      }
      y = own == null ? y : own;
    }
    return y == null ? below.sublayer(context, at, s) : y;
  }

  private IllegalStateException two(Place at) {
    return new IllegalStateException(
        "adapters "
            + active.hooks().stream().map(a -> "'" + a.name + "'").toList()
            + " cannot be active together\nfound: more than one of them replaces what "
            + at.path()
            + " ("
            + at.part()
            + ") gives\nfix: use one at a time");
  }

  @Override
  public NDArray layer(Context context, Place at, NDArray h) {
    NDArray y = below.layer(context, at, h);
    for (Acting a : hooks()) {
      y = a.hook.layer(a.view, context, at, y);
    }
    return y;
  }
}
