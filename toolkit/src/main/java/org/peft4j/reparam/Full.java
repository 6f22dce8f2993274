package org.peft4j.reparam;

import java.util.EnumSet;
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
 * Full fine-tuning: {@code W = theta}, started at a copy of W0. It is the reference that the others
 * are measured against, and what happens to a module named in {@code modules_to_save}.
 */
public record Full() implements Reparam {
  static final List<String> EVERYTHING = List.of("regex:.*");
  private static final Copies COPIES = new Copies("weight", "bias");

  @Override
  public String name() {
    return "full";
  }

  @Override
  public String peftType() {
    return "FULL";
  }

  @Override
  public Set<Kind> kinds() {
    return EnumSet.allOf(Kind.class);
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    return EVERYTHING;
  }

  @Override
  public boolean followsTies() {
    return true;
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
  public Map<String, Object> toConfig() {
    return Map.of();
  }

  static Full fromConfig(Entries c) {
    return new Full();
  }

  @Override
  public String summary() {
    return "all parameters";
  }

  /** No options of its own, for {@code Peft.full(model)}. */
  public static final class Options<R> extends Fluent<Full, Options<R>, R> {
    private Options(Draft<Full, R> draft) {
      super(draft);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Full(), target));
    }

    @Override
    protected Options<R> with(Draft<Full, R> draft) {
      return new Options<>(draft);
    }
  }
}
