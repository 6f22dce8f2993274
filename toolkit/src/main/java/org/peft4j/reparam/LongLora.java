package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.At;
import org.peft4j.spi.Attending;
import org.peft4j.spi.Context;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Place;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * LongLoRA (Chen et al., arXiv 2309.12307): teaches a model longer texts by LoRA on q, k, v and o,
 * with embeddings and normalisations trained whole, while attention is {@linkplain ShiftedAttention
 * shifted and sparse}: groups of a quarter of the text, so {@code T^2 / 4} products of queries and
 * keys instead of {@code T^2}. Otherwise attention stays the model's own, so what is saved is a
 * LoRA that any runtime reads. Where one group holds the whole text, training is LoRA's too.
 *
 * <p>Positions beyond the trained ones are the model's part: {@code model.withContext(tokens)}.
 *
 * @param ratio length of a group over that of the text, where {@code group} is 0
 * @param group tokens in a group, or 0 to go by the ratio
 */
public record LongLora(Lora lora, double ratio, int group) implements OnLora, Hook {
  private static final String RATIO = "longlora_group_ratio";
  private static final String GROUP = "longlora_group_size";
  private static final String CONTEXT = "longlora_context";

  /** Rank 8, alpha 16, groups of a quarter of the text. */
  public LongLora() {
    this(new Lora().withAlpha(16), 0.25, 0);
  }

  public LongLora {
    if (!(ratio > 0 && ratio <= 1)) {
      throw new IllegalArgumentException(RATIO + "\nexpected: in (0, 1]\nfound: " + ratio);
    }
    if (group < 0 || group == 1) {
      throw new IllegalArgumentException(
          GROUP + "\nexpected: at least 2 tokens, or 0 to go by the ratio\nfound: " + group);
    }
  }

  @Override
  public String name() {
    return "longlora";
  }

  @Override
  public LongLora on(Lora other) {
    return new LongLora(other, ratio, group);
  }

  // ---- on weights

  @Override
  public Set<Kind> kinds() {
    return OnLora.super.kinds();
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
  public List<String> usualTargets(List<Site> sites) {
    return List.of("q", "k", "v", "o").stream()
        .filter(role -> sites.stream().anyMatch(s -> role.equals(s.role())))
        .toList();
  }

  /** Embeddings and normalisations, by the ends of their names. */
  @Override
  public List<String> wholeModules(List<Site> sites) {
    Set<String> names = new LinkedHashSet<>();
    for (Site site : sites) {
      if (isWhole(site)) {
        String name = site.path().substring(site.path().lastIndexOf('.') + 1);
        boolean others =
            sites.stream().anyMatch(s -> !isWhole(s) && ("." + s.path() + ".").contains(name));
        names.add(others ? site.path() : name);
      }
    }
    return List.copyOf(names);
  }

  private static boolean isWhole(Site site) {
    return site.kind() == Kind.EMBEDDING || site.kind() == Kind.NORM;
  }

  // ---- on what flows, in training

  @Override
  public void declare(Anatomy model, Declaration theta) {
    if (model.stacks() > 1) {
      throw new IllegalArgumentException(
          "longlora is for models of one stack\nfound: an encoder and a decoder\nfix: use lora");
    }
    if (model.heads() < 2) {
      throw new IllegalArgumentException(
          "longlora shifts half of the heads\nfound: one head\nfix: use lora");
    }
  }

  @Override
  public boolean mergeable() {
    return true; // the attention of training is not that of use
  }

  @Override
  public Map<String, Object> sizes(Anatomy model) {
    return model.context() == 0 ? Map.of() : Map.of(CONTEXT, model.context());
  }

  @Override
  public @Nullable NDArray attention(View view, Context context, Place at, Attending a) {
    if (!view.pass().training()
        || at.part() != Place.Part.SELF_ATTENTION
        || !view.model().paths().contains(at.path())) {
      return null;
    }
    long tokens = a.q().getShape().get(2);
    long keys = a.k().getShape().get(2);
    if (tokens != keys) {
      throw new IllegalArgumentException(
          "longlora: training sees whole texts\nexpected: keys of the "
              + tokens
              + " tokens alone\nfound: "
              + keys
              + " keys\nfix: train it without a prefix and without a cache");
    }
    int size = groupFor(tokens);
    return size >= tokens ? null : ShiftedAttention.of(a, size);
  }

  /** Length of the groups of a text of so many tokens. */
  int groupFor(long tokens) {
    double rounding = 1e-9;
    return group > 0 ? group : (int) Math.max(2, Math.ceil(tokens * ratio - rounding));
  }

  // ---- its file: a LoRA's, with entries that other readers pass over

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(lora.toConfig());
    c.put(RATIO, ratio);
    c.put(GROUP, group);
    return c;
  }

  static boolean in(Entries c) {
    return c.has(RATIO) || c.has(GROUP);
  }

  static LongLora fromConfig(Entries c) {
    c.accept(CONTEXT);
    return new LongLora(Lora.fromConfig(c), c.number(RATIO, 0.25), c.integer(GROUP, 0));
  }

  @Override
  public String summary() {
    return lora.summary()
        + ", groups of "
        + (group > 0 ? group + " tokens" : Patterns.tidy(ratio) + " of the text");
  }

  /** The options, for {@code Peft.longLora(model)}. */
  public static final class Options<R> extends LoraOptions<LongLora, Options<R>, R> {
    private Options(Draft<LongLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new LongLora(), target));
    }

    /** Length of a group over that of the text, in (0, 1]; default a quarter. */
    public Options<R> groupRatio(double ratio) {
      return with(new LongLora(tuner().lora, ratio, 0));
    }

    /** Tokens in a group, whatever the length of the text. */
    public Options<R> group(int tokens) {
      return with(new LongLora(tuner().lora, tuner().ratio, tokens));
    }
  }
}
