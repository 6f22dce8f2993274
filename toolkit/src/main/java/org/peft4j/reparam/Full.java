package org.peft4j.reparam;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Site;

/**
 * Full fine-tuning: {@code W = theta}, started at a copy of W0. It is the reference that the others
 * are measured against, and what happens to a module named in {@code modules_to_save}.
 */
public record Full() implements Whole {
  @Override
  public String name() {
    return "full";
  }

  @Override
  public String peftType() {
    return "FULL";
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

  /** Which part to train, for {@code Peft.full(model)}; default all. */
  public static final class Options<R> extends Fluent<Full, Options<R>, R> {
    private Options(Draft<Full, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Full(), target));
    }

    /**
     * The last k layers (of each stack, where a model has two) and what lies behind the layers. A
     * head that is tied to the embeddings stays as they do.
     */
    public Options<R> topLayers(int k) {
      List<Site> all = sites();
      Map<String, Integer> last = new HashMap<>();
      all.stream()
          .filter(s -> s.layer() >= 0)
          .forEach(s -> last.merge(stack(s), s.layer(), Math::max));
      int most = last.values().stream().mapToInt(n -> n + 1).max().orElse(0);
      if (k < 1 || k > most) {
        throw new IllegalArgumentException(
            "topLayers\nexpected: 1 to the number of layers, " + most + "\nfound: " + k);
      }
      List<String> top = new ArrayList<>();
      boolean behind = false;
      for (Site s : all) {
        Integer end = last.get(stack(s));
        behind |= end != null;
        if (end == null ? behind : s.layer() > end - k) {
          top.add(s.path());
        }
      }
      return targets(top.toArray(String[]::new));
    }

    /** What comes before the number of a site's layer in its path. */
    private static String stack(Site s) {
      return s.layer() < 0 ? "" : s.path().replaceFirst("(?<=\\.|^)\\d+(\\..*)?$", "");
    }

    /** The head alone, on the features that the model has (feature-based training). */
    public Options<R> headOnly() {
      return targets("head");
    }
  }
}
