package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Attending;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Context;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.spi.Place;
import org.peft4j.spi.Site;
import org.peft4j.spi.Sublayer;

/**
 * LLaMA-Adapter (Zhang et al., arXiv 2303.16199): in each of the last layers, attention gives
 * {@code softmax(q K^T / sqrt(d)) V + g softmax(q K_P^T / sqrt(d)) V_P}, K_P and V_P the layer's
 * own keys and values, without positions, of a trained prompt P {@code [1, k, hidden]}, g a trained
 * number that is 0 at first. Where q, k and v come from one projection (GPT-2), the second term is
 * added behind the output projection, as Hugging Face does it.
 *
 * @param tokens k, at least 1
 * @param layers how many layers, counted from the top; 0 for all
 */
public record AdaptionPrompt(int tokens, int layers) implements Hook {
  private static final String MODEL = "base_model.model.";
  private static final String PROMPT = ".adaption_prompt";
  private static final String GATE = ".adaption_gate";
  private static final String LENGTH = "adapter_len";
  private static final String LAYERS = "adapter_layers";
  private static final String MODULES = "target_modules";
  private static final String FUSED = ".c_attn";

  /** 10 tokens in all layers. */
  public AdaptionPrompt() {
    this(10, 0);
  }

  public AdaptionPrompt {
    Checks.atLeast(LENGTH, 1, tokens);
    Checks.atLeast(LAYERS, 0, layers);
  }

  @Override
  public String name() {
    return "adaption_prompt";
  }

  @Override
  public String peftType() {
    return "ADAPTION_PROMPT";
  }

  private List<String> last(Anatomy model) {
    int all = model.paths().size();
    if (layers > all) {
      throw new IllegalArgumentException(
          LAYERS + "\nexpected: at most the " + all + " that there are\nfound: " + layers);
    }
    return layers == 0 ? model.paths() : model.paths().subList(all - layers, all);
  }

  /** A linear module of a layer, by its role or by the end of its name. */
  private static Optional<Site> module(Anatomy model, String layer, String which) {
    return model.sites().stream()
        .filter(s -> ("." + s.path()).contains("." + layer + "."))
        .filter(s -> which.equals(s.role()) || s.path().endsWith(which))
        .findFirst();
  }

  /** What the tensors of a layer are called, up to their last part; null where it has none. */
  private static @Nullable String prefix(Anatomy model, String layer) {
    return module(model, layer, "k")
        .or(() -> module(model, layer, FUSED))
        .map(s -> MODEL + s.path().substring(0, s.path().lastIndexOf('.')))
        .orElse(null);
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    for (String layer : last(model)) {
      String prefix = prefix(model, layer);
      if (model.stacks() > 1 || prefix == null) {
        throw new IllegalArgumentException(
            "adaption_prompt is for models of one stack whose attention has a projection each for q,"
                + " k and v, or GPT-2's\nfound: "
                + (model.stacks() > 1 ? "an encoder and a decoder" : "another in " + layer)
                + "\nfix: use prefix_tuning");
      }
      theta.trained(prefix + PROMPT, new Shape(1, tokens, model.hidden()), Init.normal(1));
      theta.trained(prefix + GATE, new Shape(1), Init.ZEROS);
    }
  }

  // ---- where it acts

  private static boolean acts(View view, Place at) {
    String prefix = prefix(view.model(), at.path());
    return at.part() == Place.Part.SELF_ATTENTION && prefix != null && view.has(prefix + PROMPT);
  }

  /** {@code g softmax(q K_P^T scale) V_P}, {@code [B, H, T, d]}. */
  private static NDArray more(View view, Place at, Attending a) {
    Anatomy model = view.model();
    String prefix = prefix(model, at.path());
    NDArray p = view.get(prefix + PROMPT);
    NDArray k = keysOrValues(view, at, p, "k", 1, a.q());
    NDArray v = keysOrValues(view, at, p, "v", 2, a.q());
    return new Attending(a.q(), k, v, null, a.scale(), null).attend().mul(view.get(prefix + GATE));
  }

  /** K_P or V_P as attention takes them, {@code [B, H, k, d]}. */
  private static NDArray keysOrValues(
      View view, Place at, NDArray p, String role, int third, NDArray q) {
    Anatomy model = view.model();
    Optional<Site> own = module(model, at.path(), role);
    NDArray all =
        own.isPresent()
            ? view.pass().apply(own.get().frozen(), p)
            : view.pass()
                .apply(module(model, at.path(), FUSED).orElseThrow().frozen(), p)
                .split(3, 2)
                .get(third);
    long size = model.headSize();
    NDArray heads = all.reshape(1, all.getShape().get(1), -1, size).transpose(0, 2, 1, 3);
    long there = heads.getShape().get(1);
    long wanted =
        q.getShape().get(1); // fewer than there are heads, where those of a group are rows
    NDArray each = there == wanted ? heads : heads.repeat(1, wanted / there);
    return each.broadcast(q.getShape().get(0), wanted, p.getShape().get(1), size);
  }

  private static boolean isFused(View view, Place at) {
    return module(view.model(), at.path(), "k").isEmpty();
  }

  private static String kept(Place at) {
    return at.path() + PROMPT;
  }

  @Override
  public @Nullable NDArray attention(View view, Context context, Place at, Attending a) {
    if (!acts(view, at)) {
      return null;
    }
    NDArray more = more(view, at, a);
    if (!isFused(view, at)) {
      return a.attend().add(more);
    }
    Shape s = more.getShape();
    view.pass()
        .once(
            kept(at),
            () -> more.transpose(0, 2, 1, 3).reshape(s.get(0), s.get(2), s.get(1) * s.get(3)));
    return null;
  }

  @Override
  public @Nullable NDArray sublayer(View view, Context context, Place at, Sublayer s) {
    if (!acts(view, at) || !isFused(view, at)) {
      return null;
    }
    NDArray more =
        view.pass()
            .once(
                kept(at),
                () -> {
                  throw new IllegalStateException(at + ": no attention came before it");
                });
    return new Sublayer(s.output().add(more), s.residual(), s.norm()).sum();
  }

  // ---- its file

  @Override
  public Map<String, Object> sizes(Anatomy model) {
    return Map.of(LAYERS, last(model).size());
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put(LENGTH, tokens);
    if (layers > 0) {
      c.put(LAYERS, layers);
    }
    return c;
  }

  static AdaptionPrompt fromConfig(Entries c) {
    String modules = c.text(MODULES, "self_attn");
    if (!List.of("self_attn", "attn").contains(modules)) {
      throw new IllegalArgumentException(
          MODULES + "\nexpected: self_attn, or attn in GPT-2\nfound: " + modules);
    }
    return new AdaptionPrompt(c.integer(LENGTH, 10), c.integer(LAYERS, 0));
  }

  @Override
  public String summary() {
    return tokens + " virtual tokens in " + (layers == 0 ? "all layers" : "the last " + layers);
  }

  /** The options, for {@code Peft.adaptionPrompt(model)}. */
  public static final class Options<R> extends Fluent<AdaptionPrompt, Options<R>, R> {
    private Options(Draft<AdaptionPrompt, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new AdaptionPrompt(), target));
    }

    /** Number of virtual tokens in each layer; default 10. */
    public Options<R> tokens(int n) {
      return with(new AdaptionPrompt(n, tuner().layers));
    }

    /** Acts in the last n layers alone; default all. */
    public Options<R> lastLayers(int n) {
      return with(new AdaptionPrompt(tuner().tokens, n));
    }
  }
}
