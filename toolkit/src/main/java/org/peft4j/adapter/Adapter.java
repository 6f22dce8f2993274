package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.reparam.Full;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.At;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;

/** One named adapter: a method, where it is attached, and its tensors. */
final class Adapter {
  final String name;
  final Reparam reparam;
  final Placement placement;
  final long seed;
  final Map<String, Tensor> shared;
  final Map<Site, Attachment> attachments;

  /** The model's sizes, with the layers that a hook acts in; null for other methods. */
  final @Nullable Anatomy anatomy;

  /** Whether a schedule that the method needs has ever been run. */
  boolean scheduleRan;

  Adapter(
      String name,
      Reparam reparam,
      Placement placement,
      long seed,
      Map<String, Tensor> shared,
      Map<Site, Attachment> attachments,
      @Nullable Anatomy anatomy) {
    this.name = name;
    this.reparam = reparam;
    this.placement = placement;
    this.seed = seed;
    this.shared = shared;
    this.attachments = attachments;
    this.anatomy = anatomy;
  }

  /** Sites the method itself acts on, without those of whole modules and of lone biases. */
  List<Attachment> adapted() {
    return attachments.values().stream()
        .filter(this::isOwn)
        .filter(a -> a.site().tiedTo() == null || !a.tensors().equals(tensorsAt(a.site().tiedTo())))
        .toList();
  }

  /** Whether the method itself acts there, not what is trained beside it. */
  boolean isOwn(Attachment a) {
    return a.reparam() != null && a.reparam().name().equals(reparam.name());
  }

  private Map<String, Tensor> tensorsAt(Frozen frozen) {
    for (Attachment a : attachments.values()) {
      if (a.site().frozen() == frozen) {
        return a.tensors();
      }
    }
    return Map.of();
  }

  /** All tensors, by the name under which a parameter list shows them. */
  Map<String, Tensor> tensors() {
    Map<String, Tensor> out = new LinkedHashMap<>();
    Set<Tensor> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    shared.forEach((n, t) -> out.put(n, t));
    for (Attachment a : attachments.values()) {
      a.tensors()
          .forEach(
              (n, t) -> {
                if (seen.add(t)) { // a tied site uses the tensors of another
                  out.put(a.name(n), t);
                }
              });
      if (a.bias() != null) {
        out.put(a.name("bias"), a.bias());
      }
    }
    return out;
  }

  /** The method's view of one site in a pass. */
  At at(Attachment a, Pass pass, Pass below) {
    return new At(
        a.site(),
        a.base(),
        pass,
        below,
        n -> {
          Tensor t = tensor(a, n);
          return t == null ? null : below.value(t.parameter());
        });
  }

  private @Nullable Tensor tensor(Attachment a, String name) {
    Tensor own = a.tensors().get(name);
    return own != null ? own : shared.get(name);
  }

  /** The method's view of all the sites it acts on. */
  List<At> all(Pass pass, Pass below) {
    List<At> out = new ArrayList<>();
    adapted().forEach(a -> out.add(at(a, pass, below)));
    return out;
  }

  /** The method that a trained tensor belongs to, and what the method calls it. */
  record Owned(Reparam method, String tensor) {}

  /**
   * Whose tensor it is, by its name in {@link #tensors}: the method's at a site, a whole module's,
   * a bias's that is trained beside the method, or one that all sites share.
   */
  Owned owned(String name) {
    for (Attachment a : attachments.values()) {
      String prefix = a.site().path() + ".";
      if (!name.startsWith(prefix)) {
        continue;
      }
      String tensor = name.substring(prefix.length());
      if (a.reparam() != null && a.tensors().containsKey(tensor)) {
        return new Owned(a.reparam(), tensor);
      }
      if (a.bias() != null && tensor.equals("bias")) {
        return new Owned(new Full(), tensor);
      }
    }
    return new Owned(reparam, name);
  }

  /** What the method makes of the gradients that its tensors have. */
  Map<String, Double> learningRates() {
    Map<String, NDArray> trained = new LinkedHashMap<>();
    for (Attachment a : adapted()) {
      a.tensors()
          .forEach(
              (n, t) -> {
                if (t.trained()) {
                  trained.put(a.name(n), t.parameter().getArray());
                }
              });
    }
    return reparam.learningRates(trained);
  }

  /** The hook that it is, or null. */
  @Nullable Hook hook() {
    return reparam instanceof Hook h ? h : null;
  }

  /** The hook that it is and nothing else, with a kind of file of its own; or null. */
  @Nullable Hook hookAlone() {
    return reparam.kinds().isEmpty() ? hook() : null;
  }

  /** A hook's view of its tensors in a pass. */
  Hook.View view(Pass pass, Pass below) {
    return new Hook.View(
        Objects.requireNonNull(anatomy),
        pass,
        n -> {
          Tensor t = shared.get(n);
          return t == null ? null : below.value(t.parameter());
        });
  }

  long trainable() {
    return tensors().values().stream()
        .filter(Tensor::trained)
        .mapToLong(t -> t.entry().shape().size())
        .sum();
  }
}
