package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.reparam.Full;
import org.peft4j.reparam.TrainableTokens;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** Allocates an adapter's tensors and gives them their first values. */
final class AdapterBuilder {
  private final Blueprint blueprint;
  private final List<Site> all;
  private final NDManager owner;

  /** The manager {@code owner} gets the tensors. */
  AdapterBuilder(Blueprint blueprint, NDManager owner) {
    this.blueprint = blueprint;
    this.all = blueprint.sites();
    this.owner = owner;
  }

  Adapter build(String name, Reparam reparam, Placement given, long seed) {
    return build(
        name, reparam, blueprint.complete(reparam, given), blueprint.match(reparam, given), seed);
  }

  /** An adapter at these sites, whatever {@code placement} says of targets. */
  Adapter build(String name, Reparam reparam, Placement placement, List<Site> matched, long seed) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = owner.newSubManager()) {
            Reparam sized = reparam.sized(matched);
            return allocate(
                name, sized, placement, matched, Seed.of(seed).at("init"), seed, temporary);
          }
        });
  }

  private Adapter allocate(
      String name,
      Reparam reparam,
      Placement placement,
      List<Site> matched,
      Seed seed,
      long seedNumber,
      NDManager temporary) {
    Pass plain = Pass.of(new ParameterStore(temporary, false), false);
    Anatomy anatomy =
        reparam instanceof Hook hook ? blueprint.anatomy(hook).within(placement.layers()) : null;
    Map<String, Tensor> shared = new LinkedHashMap<>();
    Map<String, Object> memo = new HashMap<>();
    for (Declaration.Entry e : blueprint.shared(reparam, placement, matched).entries()) {
      Frozen seen = anatomy == null ? matched.get(0).frozen() : anatomy.embeddings();
      shared.put(
          e.name(), make(e, new Context(temporary, seed.at(e.name()), seen, plain, memo, shared)));
    }
    Map<Site, Attachment> attachments = new LinkedHashMap<>();
    Map<Site, Reparam> plan = reparam.plan(matched);
    Set<Site> whole = new LinkedHashSet<>();
    placement.modulesToSave().forEach(m -> whole.addAll(Targets.modules(all, m)));
    Map<Site, TrainableTokens> tokens = blueprint.tokens(placement, plan.keySet());
    for (Site site : all) {
      Reparam here = tokens.containsKey(site) ? tokens.get(site) : plan.get(site);
      boolean trainsBias =
          site.hasBias()
              && !whole.contains(site)
              && (placement.bias() == Placement.Bias.ALL
                  || (placement.bias() == Placement.Bias.LORA_ONLY && plan.get(site) != null));
      if (whole.contains(site)) {
        attachments.put(
            site, attach(site, new Full(), shared, attachments, seed, plain, temporary, false));
      } else if (here != null) {
        attachments.put(
            site,
            attach(
                site,
                here,
                shared,
                attachments,
                seed,
                plain,
                temporary,
                trainsBias && !here.trainsBias()));
      } else if (trainsBias) {
        Tensor bias = bias(site, plain);
        attachments.put(
            site,
            new Attachment(
                site,
                null,
                Map.of(),
                bias,
                new Attachment.Rebiased(site.frozen(), bias.parameter())));
      }
    }
    follow(attachments, reparam.followsTies());
    return new Adapter(name, reparam, placement, seedNumber, shared, attachments, anatomy);
  }

  /** Sites that share a tensor with one that takes its ties along use its tensors. */
  private void follow(Map<Site, Attachment> attachments, boolean everything) {
    for (Site site : all) {
      if (site.tiedTo() != null && !attachments.containsKey(site)) {
        for (Attachment owner : List.copyOf(attachments.values())) {
          boolean leads = everything || owner.reparam() instanceof TrainableTokens;
          if (leads && owner.site().frozen() == site.tiedTo()) {
            attachments.put(
                site, new Attachment(site, owner.reparam(), owner.tensors(), null, site.frozen()));
          }
        }
      }
    }
  }

  private Attachment attach(
      Site site,
      Reparam reparam,
      Map<String, Tensor> shared,
      Map<Site, Attachment> others,
      Seed seed,
      Pass plain,
      NDManager temporary,
      boolean trainsBias) {
    Declaration theta = new Declaration();
    reparam.declare(site, theta);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Map<String, Object> memo = new HashMap<>();
    Seed here = seed.at(site.path());
    for (Declaration.Entry e : theta.entries()) {
      tensors.put(
          e.name(),
          make(e, new Context(temporary, here.at(e.name()), site.frozen(), plain, memo, shared)));
    }
    theta
        .lent()
        .forEach(
            (name, owner) ->
                tensors.put(
                    name,
                    Objects.requireNonNull(
                        Objects.requireNonNull(others.get(owner)).tensors().get(name))));
    At at =
        new At(
            site,
            site.frozen(),
            plain,
            plain,
            n -> {
              Tensor t = tensors.containsKey(n) ? tensors.get(n) : shared.get(n);
              return t == null ? null : t.parameter().getArray();
            });
    NDArray shifted = reparam.shift(at);
    Frozen base = shifted == null ? site.frozen() : kept(site.frozen(), shifted, reparam.storage());
    Tensor bias = null;
    if (trainsBias) {
      bias = bias(site, plain);
      base = new Attachment.Rebiased(base, bias.parameter());
    }
    return new Attachment(site, reparam, tensors, bias, base);
  }

  private Frozen kept(Frozen like, NDArray weight, @Nullable Storage storage) {
    if (storage != null) {
      return storage.store(like, weight, owner);
    }
    Parameter original = like.parameters().get(0);
    NDArray copy = Scope.giveTo(owner, Buffers.copyOf(owner, weight));
    return new Dense(
        Parameters.of(original.getName(), original.getType(), copy, false),
        like.biasParameter(),
        like.operation());
  }

  private Tensor bias(Site site, Pass plain) {
    NDArray b0 = Objects.requireNonNull(site.frozen().bias(plain));
    Declaration d = new Declaration().trained("bias", b0.getShape(), Init.ZEROS);
    return new Tensor(
        d.entries().get(0),
        Parameters.of(
            "bias", Parameter.Type.BIAS, Scope.giveTo(owner, Buffers.copyOf(owner, b0)), true));
  }

  /** Computes again what follows from shared tensors, which a file has given other values. */
  static void follow(Adapter adapter, NDManager temporary) {
    Pass plain = Pass.of(new ParameterStore(temporary, false), false);
    Anatomy anatomy = adapter.anatomy;
    for (Tensor t : adapter.shared.values()) {
      if (anatomy != null && t.entry().role() == Declaration.Role.FOLDED) {
        Frozen words = anatomy.embeddings();
        Context context =
            new Context(temporary, Seed.of(0), words, plain, new HashMap<>(), adapter.shared);
        Buffers.copy(value(t.entry(), context), t.parameter().getArray());
      }
    }
    for (Attachment a : adapter.attachments.values()) {
      Map<String, Object> memo = new HashMap<>();
      for (Tensor t : a.tensors().values()) {
        if (t.entry().role() == Declaration.Role.FOLLOWING) {
          Context context =
              new Context(temporary, Seed.of(0), a.site().frozen(), plain, memo, adapter.shared);
          Buffers.copy(value(t.entry(), context), t.parameter().getArray());
        }
      }
    }
  }

  private static NDArray value(Declaration.Entry entry, Context context) {
    NDArray value = entry.init().make(context, entry.shape());
    if (!value.getShape().equals(entry.shape())) {
      throw new IllegalStateException(
          entry.name() + ": declared " + entry.shape() + ", made " + value.getShape());
    }
    return value;
  }

  private Tensor make(Declaration.Entry entry, Context context) {
    NDArray value = value(entry, context);
    boolean trained = entry.role().isTrained();
    return new Tensor(
        entry,
        Parameters.of(
            entry.name().replace('.', '_'),
            Parameter.Type.OTHER,
            Scope.giveTo(owner, Buffers.copyOf(owner, value)),
            trained));
  }

  static long trainable(Attachment a) {
    List<Tensor> all = new ArrayList<>(a.tensors().values());
    if (a.bias() != null) {
      all.add(a.bias());
    }
    return all.stream().filter(Tensor::trained).mapToLong(t -> t.entry().shape().size()).sum();
  }

  private record Context(
      NDManager manager,
      Seed seed,
      Frozen frozen,
      Pass pass,
      Map<String, Object> memo,
      Map<String, Tensor> shared)
      implements Init.Context {
    @Override
    public NDArray shared(String name) {
      return Objects.requireNonNull(shared.get(name), name).parameter().getArray();
    }

    @Override
    public NDArray w0() {
      return frozen.weight(pass);
    }

    @Override
    public NDArray b0() {
      return Objects.requireNonNull(frozen.bias(pass));
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T> T once(String name, Supplier<T> value) {
      Object known = memo.get(name);
      if (known == null) {
        known = Objects.requireNonNull(value.get());
        memo.put(name, known);
      }
      return (T) known;
    }
  }
}
