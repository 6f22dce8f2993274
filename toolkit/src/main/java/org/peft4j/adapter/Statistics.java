package org.peft4j.adapter;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.Lora;
import org.peft4j.spi.Calibration;
import org.peft4j.spi.Context;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Moments;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * What goes into a model's linear layers on some data, for starts that come from data ({@code
 * LoraInit.eva}, {@code LoraInit.corda}): {@link Moments} for each, without padding. Layers that
 * get the same input share theirs.
 */
public final class Statistics implements Calibration, AutoCloseable {
  private final Arena arena = new Arena();
  private final Arena.Hold hold = arena.heldBy(this);
  private final Map<String, Moments> moments = new LinkedHashMap<>();

  private Statistics() {}

  /**
   * What is seen while {@code run} sends data through {@code model}.
   *
   * @param targets which layers, in the words of {@code targets}; none for the usual ones
   * @param run calls {@code model.forward(store, inputs, false)} with the store that it is given
   */
  public static Statistics of(Block model, List<String> targets, Consumer<ParameterStore> run) {
    Block base = model instanceof PeftModel p ? p.base() : model;
    Pretrained p = Pretrained.of(base);
    Blueprint blueprint = new Blueprint(p, p.usualTargets(), List.of());
    Statistics out = new Statistics();
    IdentityHashMap<Frozen, Site> wanted = new IdentityHashMap<>();
    blueprint.match(new Lora(), Placement.DEFAULT.withTargets(targets)).stream()
        .filter(s -> s.kind() == Kind.LINEAR)
        .forEach(s -> wanted.put(s.frozen(), s));
    Torch.inference(
        () -> {
          try (NDManager manager = Torch.newManager()) {
            run.accept(out.new Recorder(new ParameterStore(manager, false), wanted));
          }
          return out;
        });
    return out;
  }

  /** What is seen while these inputs go through {@code model}, one list after the other. */
  public static Statistics of(Block model, List<String> targets, Iterable<NDList> batches) {
    Block base = model instanceof PeftModel p ? p.base() : model;
    return of(
        base,
        targets,
        store -> {
          for (NDList batch : batches) {
            try (Scope scope = Scope.open()) {
              base.forward(store, batch, false);
            }
          }
        });
  }

  @Override
  public Moments at(Site site) {
    if (!arena.isOpen()) {
      throw new IllegalStateException("the statistics were closed");
    }
    Moments m = moments.get(site.path());
    if (m == null || m.in() != site.in()) {
      throw new IllegalArgumentException(
          "calibration: nothing is known of the inputs of "
              + site.path()
              + "\nfound: "
              + moments.keySet()
              + "\nfix: make the statistics on this model, with the same targets");
    }
    return m;
  }

  /** {@code 12 layers, 8,192 tokens}. */
  @Override
  public String toString() {
    long most = moments.values().stream().mapToLong(Moments::rows).max().orElse(0);
    return "%,d layers, %,d tokens".formatted(moments.size(), most);
  }

  /** Frees the sums. Adapters that were made from them stay. */
  @Override
  public void close() {
    hold.close();
  }

  /** The plain pass, which looks at what goes into the wanted layers. */
  private final class Recorder extends Pass {
    private final IdentityHashMap<Frozen, Site> wanted;
    private final IdentityHashMap<NDArray, Set<Moments>> seen = new IdentityHashMap<>();
    private @Nullable NDArray mask;

    Recorder(ParameterStore store, IdentityHashMap<Frozen, Site> wanted) {
      super(store, false);
      this.wanted = wanted;
    }

    @Override
    public NDArray embeddings(Context context, NDArray x) {
      seen.clear(); // another text, or another stack
      mask = context.mask();
      return x;
    }

    @Override
    public NDArray apply(Frozen frozen, NDArray x) {
      Site site = wanted.get(frozen);
      if (site != null) {
        record(site, x);
      }
      return frozen.apply(this, x, frozen.bias(this));
    }

    private void record(Site site, NDArray x) {
      Set<Moments> known = seen.computeIfAbsent(x, k -> new HashSet<>());
      Moments own =
          moments.computeIfAbsent(
              site.path(),
              path ->
                  known.isEmpty()
                      ? new Moments(arena.manager(), site.in())
                      : known.iterator().next());
      if (known.add(own)) {
        add(own, x);
      }
    }

    private void add(Moments own, NDArray x) {
      Shape shape = x.getShape();
      long in = shape.get(shape.dimension() - 1);
      try (Scope scope = Scope.open()) {
        if (shape.dimension() != 3) {
          own.add(x.reshape(-1, in));
          return;
        }
        NDArray kept = mask;
        boolean masked = kept != null && kept.getShape().equals(shape.slice(0, 2));
        for (long text = 0; text < shape.get(0); text++) {
          NDArray rows = x.get(text);
          if (masked && kept != null) {
            NDArray here = kept.get(text).neq(0).nonzero().reshape(-1);
            if (here.size() > 0) {
              own.add(Operation.EMBEDDING.apply(here, rows, null));
            }
          } else {
            own.add(rows);
          }
        }
      }
    }

    @Override
    public Weight effective(Frozen frozen) {
      return new Weight(frozen.weight(this), frozen.bias(this));
    }

    @Override
    public Seed seed() {
      return Seed.of(0);
    }

    @Override
    public NDArray getValue(Parameter parameter, Device device, boolean training) {
      return values().getValue(parameter, device, training);
    }
  }
}
