package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraInit;
import org.peft4j.spi.At;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * An adapter whose whole effect is {@code y + (x A) B} at linear modules, A {@code [in, r]}, B
 * {@code [r, out]} with the scale in it, for runtimes that take such factors beside the base.
 * Linear modules that it trains as a whole, such as a new head, go with it.
 */
public final class PlainLora {
  static final String A = "lora_A.weight";

  static final String B = "lora_B.weight";

  private static final LoraRule SWAPPED =
      new LoraRule(
          "cannot be swapped at run time",
          "plain LoRA of linear modules",
          Set.of(Kind.LINEAR),
          true);

  /** Any rank does where B is zero. */
  private static final int RANK = 2;

  /**
   * A module that it changes.
   *
   * @param path as Hugging Face writes it
   * @param whole whether the module is replaced rather than added to
   * @param tensors their names, as in adapter files without {@code base_model.model.}: A and B, or
   *     the weight and, where there is one, the bias
   */
  public record Module(String path, boolean whole, List<String> tensors) {
    public Module {
      tensors = List.copyOf(tensors);
    }
  }

  private final PeftModel model;
  private final Adapter adapter;

  private PlainLora(PeftModel model, Adapter adapter) {
    this.model = model;
    this.adapter = adapter;
  }

  /**
   * The adapter of that name.
   *
   * @throws IllegalArgumentException when it is no plain LoRA, or not one of linear modules
   */
  public static PlainLora of(PeftModel model, String name) {
    SWAPPED.check(model, model.adapter(name));
    return new PlainLora(model, model.adapter(name));
  }

  /** The modules that it changes, in the order of the model. */
  public List<Module> modules() {
    List<Module> out = new ArrayList<>();
    for (Attachment a : adapter.attachments.values()) {
      List<String> names =
          LoraRule.isWhole(a)
              ? a.tensors().keySet().stream().map(a::name).toList()
              : List.of(a.name(A), a.name(B));
      out.add(new Module(a.site().path(), LoraRule.isWhole(a), names));
    }
    return out;
  }

  /** Whether B is zero at every module, so that {@link #tensors} has nothing to give. */
  public boolean addsNothing() {
    return adapter.attachments.values().stream()
        .allMatch(a -> a.tensors().containsKey(B) && isZero(a.tensors().get(B)));
  }

  private static boolean isZero(Tensor b) {
    try (Scope scope = Scope.open()) {
      return b.parameter().getArray().abs().max().getFloat() == 0;
    }
  }

  /**
   * Its tensors, named as in {@link #modules}: A {@code [in, r]}, B times the scale {@code [r,
   * out]}; of whole modules the weight {@code [in, out]} and the bias. A LoRA whose B is zero adds
   * nothing and is left out, as is one of a module that training never reached.
   *
   * @param owner of the new arrays
   * @throws IllegalArgumentException when nothing is left
   */
  public Map<String, NDArray> tensors(NDManager owner) {
    return Torch.inference(
        () -> {
          Map<String, NDArray> out = new LinkedHashMap<>();
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            List<At> views = model.views(adapter, temporary);
            Reparam finished = adapter.reparam.finished(views);
            Map<Site, At> bySite = new HashMap<>();
            views.forEach(v -> bySite.put(v.site(), v));
            for (Attachment a : adapter.attachments.values()) {
              if (LoraRule.isWhole(a)) {
                a.tensors().forEach((n, t) -> put(out, owner, a.name(n), t.parameter().getArray()));
              } else {
                put(out, owner, a, finished.at(a.site()), bySite.get(a.site()));
              }
            }
          }
          if (out.isEmpty()) {
            throw new IllegalArgumentException(
                "adapter '"
                    + adapter.name
                    + "' does nothing: B is zero at every module\nfix: train it first");
          }
          return out;
        });
  }

  private static void put(
      Map<String, NDArray> out, NDManager owner, Attachment a, Reparam method, @Nullable At at) {
    At view = Objects.requireNonNull(at);
    double scale = Objects.requireNonNull(LoraRule.lora(method)).scale();
    NDArray b = Scalars.mul(method.stored(view, B), scale);
    if (b.abs().max().getFloat() > 0) {
      put(out, owner, a.name(A), method.stored(view, A));
      put(out, owner, a.name(B), b);
    }
  }

  /** A matrix as a linear map is computed with, {@code x W}. */
  private static void put(Map<String, NDArray> out, NDManager owner, String name, NDArray array) {
    NDArray turned = array.getShape().dimension() == 2 ? array.transpose() : array;
    out.put(name, Scope.giveTo(owner, Buffers.copyOf(owner, turned)));
  }

  /**
   * A base with a LoRA of scale 1 that adds nothing at each of these modules: what has places for
   * others. Its parameters are named as in {@link #modules}, after a colon.
   */
  public static PeftModel places(Block base, Collection<Module> modules) {
    PeftModel places = new PeftModel(base, List.of(), List.of());
    Set<String> targets = new LinkedHashSet<>();
    modules.stream()
        .filter(m -> !m.whole())
        .forEach(m -> targets.add("regex:" + Pattern.quote(m.path())));
    Lora lora = new Lora(RANK, RANK, 0, false, false, LoraInit.KAIMING, Map.of(), Map.of());
    return places.add(
        PeftModel.DEFAULT, lora, Placement.DEFAULT.withTargets(List.copyOf(targets)), 0);
  }
}
