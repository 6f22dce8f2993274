package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.At;
import org.peft4j.spi.Context;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * aLoRA (Greenewald et al., arXiv 2504.12397): a LoRA that acts from the start of the last
 * occurrence of its invocation tokens on, and nowhere in texts without them, so that keys and
 * values of what comes before are the base's. With a cache, the prompt decides: what follows an
 * invoked one is adapted. It is in no weight, so nothing merges.
 *
 * @param invocation ids of the tokens that call it, at least one
 */
public record Alora(Lora lora, List<Integer> invocation) implements OnLora, Hook {
  private static final String INVOCATION = "alora_invocation_tokens";

  public Alora {
    invocation = List.copyOf(invocation);
    if (invocation.isEmpty()) {
      throw new IllegalArgumentException(
          INVOCATION + "\nexpected: at least one token\nfound: none");
    }
    if (lora.init().shifts()) {
      throw new IllegalArgumentException(
          "init: aLoRA leaves the base as it is\nexpected: kaiming, gaussian or another that does"
              + "\nfound: "
              + lora.init());
    }
  }

  @Override
  public String name() {
    return "alora";
  }

  @Override
  public Alora on(Lora other) {
    return new Alora(other, invocation);
  }

  @Override
  public boolean remembers() {
    return true;
  }

  // ---- on weights

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    OnLora.super.declare(site, theta);
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    return OnLora.super.plan(sites);
  }

  @Override
  public Weight effective(At at) {
    return OnLora.super.effective(at);
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    return at.frozen(x).add(branch(at, x));
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    NDArray all = lora.branch(at, x);
    Context context = at.pass().context();
    if (context == null) {
      return all; // a site without texts
    }
    NDArray acts = at.pass().once(key(), () -> acts(context)); // [batch, tokens]
    boolean rows = x.getShape().dimension() > 2;
    long known = acts.getShape().get(1);
    long asked = rows ? x.getShape().get(1) : 1;
    if (known < asked && known > 1) {
      throw new IllegalStateException(
          "alora cannot act beside virtual tokens\nfix: use one adapter at a time");
    }
    NDArray last = known > asked ? acts.get(":, {}:", known - asked) : acts;
    return all.mul(rows ? last.expandDims(2) : last);
  }

  // ---- on what flows

  @Override
  public void declare(Anatomy model, Declaration theta) {
    if (model.stacks() > 1) {
      throw new IllegalArgumentException(
          "alora is for models of one stack\nfound: an encoder and a decoder\nfix: use lora");
    }
  }

  @Override
  public NDArray embeddings(View view, Context context, NDArray x) {
    context.memory().once(key(), () -> called(context.ids())); // while the prompt is there
    return x;
  }

  private String key() {
    return name() + invocation;
  }

  /** {@code [batch, tokens]}, or {@code [batch, 1]} behind a prompt: 1 where it acts, else 0. */
  private NDArray acts(Context context) {
    if (!context.start()) {
      return context.memory().once(key(), () -> called(context.ids()));
    }
    NDArray begun = calls(context.ids()).cumSum(1);
    NDArray all = begun.get(":, -1:");
    return begun.eq(all).logicalAnd(all.gt(0)).toType(DataType.FLOAT32, false);
  }

  /** {@code [batch, 1]}: 1 for texts that call it. */
  private NDArray called(NDArray ids) {
    return calls(ids).cumSum(1).get(":, -1:").gt(0).toType(DataType.FLOAT32, false);
  }

  /** {@code [batch, tokens]}: 1 where the invocation starts. */
  private NDArray calls(NDArray ids) {
    int n = invocation.size();
    NDList wide = new NDList(ids);
    for (int i = 1; i < n; i++) {
      wide.add(ids.get(":, :1").zerosLike().sub(1)); // no token
    }
    NDArray text = n == 1 ? ids : NDArrays.concat(wide, 1);
    NDArray hit = null;
    for (int i = 0; i < n; i++) {
      int behind = n - 1 - i;
      NDArray at = text.get(behind == 0 ? ":, " + i + ":" : ":, " + i + ":-" + behind);
      NDArray same = at.eq(invocation.get(i));
      hit = hit == null ? same : hit.logicalAnd(same);
    }
    return Objects.requireNonNull(hit).toType(DataType.INT64, false);
  }

  // ---- its file

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(lora.toConfig());
    c.put(INVOCATION, invocation.stream().map(Integer::longValue).toList());
    return c;
  }

  static boolean in(Entries c) {
    return !c.integers(INVOCATION).isEmpty();
  }

  static Alora fromConfig(Entries c) {
    return new Alora(Lora.fromConfig(c), c.integers(INVOCATION));
  }

  @Override
  public String summary() {
    return lora.summary() + ", from tokens " + invocation + " on";
  }

  /** The options, for {@code Peft.alora(model, words)}. */
  public static final class Options<R> extends LoraOptions<Alora, Options<R>, R> {
    private Options(Draft<Alora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target, List<Integer> invocation) {
      return new Options<>(draft(new Alora(new Lora(), invocation), target));
    }
  }
}
