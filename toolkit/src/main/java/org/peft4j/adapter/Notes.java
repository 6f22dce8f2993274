package org.peft4j.adapter;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What adapters do where, in words: {@code lora +12,288}, by path; with its name if it is not
 * alone.
 */
final class Notes {
  private Notes() {}

  static Map<String, String> of(Collection<Adapter> adapters) {
    Map<String, String> out = new LinkedHashMap<>();
    for (Adapter a : adapters) {
      for (Attachment at : a.attachments.values()) {
        String what = at.reparam() == null ? "bias" : at.reparam().name();
        long trains = AdapterBuilder.trainable(at);
        String note =
            (adapters.size() > 1 ? a.name + ": " : "")
                + what
                + (trains == 0 ? "" : String.format(Locale.ROOT, " +%,d", trains));
        out.merge(at.site().path(), note, (one, other) -> one + "; " + other);
      }
    }
    return out;
  }

  /** One adapter in a line: {@code default: lora, rank 8; 12 sites, 73,728 parameters}. */
  static String line(Adapter a, String state) {
    long atSites = a.adapted().stream().mapToLong(AdapterBuilder::trainable).sum();
    long shared =
        a.shared.values().stream()
            .filter(Tensor::trained)
            .mapToLong(t -> t.entry().shape().size())
            .sum();
    long whole = a.trainable() - atSites - shared;
    return String.format(
        Locale.ROOT,
        "%s%s: %s, %s; %s%,d parameters%s",
        a.name,
        state,
        a.reparam.name(),
        a.reparam.summary(),
        a.hookAlone() == null ? String.format(Locale.ROOT, "%,d sites, ", a.adapted().size()) : "",
        atSites + shared,
        whole == 0
            ? ""
            : String.format(Locale.ROOT, " + %s %,d", Blueprint.wholeNames(a.placement), whole));
  }
}
