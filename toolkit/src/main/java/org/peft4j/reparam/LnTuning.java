package org.peft4j.reparam;

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/**
 * LayerNorm tuning (Zhao et al., arXiv 2312.11420): the gains and shifts of normalisations are
 * trained, started at the model's. Without targets, those of all normalisations.
 */
public record LnTuning() implements Reparam {
  private static final Copies COPIES =
      new Copies("ln_tuning_layers.weight", "ln_tuning_layers.bias");

  @Override
  public String name() {
    return "ln_tuning";
  }

  @Override
  public String peftType() {
    return "LN_TUNING";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.NORM);
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    return sites.stream().filter(s -> s.kind() == Kind.NORM).map(Site::path).toList();
  }

  @Override
  public boolean trainsBias() {
    return true;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    COPIES.declare(site, theta);
  }

  @Override
  public Weight effective(At at) {
    return COPIES.effective(at);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Map<String, Object> toConfig() {
    return Map.of();
  }

  static LnTuning fromConfig(Entries c) {
    return new LnTuning();
  }

  @Override
  public String summary() {
    return "gains and shifts of normalisations";
  }

  /** No options of its own, for {@code Peft.lnTuning(model)}. */
  public static final class Options<R> extends Fluent<LnTuning, Options<R>, R> {
    private Options(Draft<LnTuning, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new LnTuning(), target));
    }
  }
}
