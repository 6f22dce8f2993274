package org.peft4j.adapter;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.reparam.Full;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraFa;
import org.peft4j.reparam.LoraPlus;
import org.peft4j.reparam.Mica;
import org.peft4j.reparam.Velora;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;

/**
 * What an adapter must be so that factors A and B say all of it.
 *
 * @param failure what is not possible otherwise, such as {@code cannot be swapped at run time}
 * @param expected what it should be, in words
 * @param kinds sites that factors may act at
 * @param wholeModules whether linear modules that it trains as a whole may go with it
 */
record LoraRule(String failure, String expected, Set<Kind> kinds, boolean wholeModules) {

  /** What a method computes, where that is a LoRA and nothing else. */
  static @Nullable Lora lora(@Nullable Reparam method) {
    return method instanceof Lora l
        ? l
        : method instanceof LoraPlus p
            ? p.lora()
            : method instanceof LoraFa f
                ? f.lora()
                : method instanceof Mica m
                    ? m.lora()
                    : method instanceof Velora v ? v.lora() : null;
  }

  static boolean isWhole(Attachment a) {
    return a.reparam() instanceof Full;
  }

  /**
   * Requires it.
   *
   * @throws IllegalArgumentException that says what stands against it, and what helps
   */
  void check(PeftModel model, Adapter adapter) {
    Lora lora = lora(adapter.reparam);
    if (lora == null) {
      throw refused(
          adapter,
          adapter.reparam.name(),
          adapter.reparam.mergeable()
              ? "make a LoRA of it by convertToLora(name, rank), or merge it"
              : "use a LoRA; what this one does is in no weight");
    }
    if (lora.loraBias()) {
      throw refused(adapter, "a LoRA with biases of its own (lora_bias)", "merge it");
    }
    for (Attachment a : adapter.attachments.values()) {
      check(model, adapter, a, lora);
    }
  }

  private void check(PeftModel model, Adapter adapter, Attachment a, Lora lora) {
    Site site = a.site();
    if (a.bias() != null || a.reparam() == null) {
      throw refused(adapter, "it trains the bias of " + site.path(), "merge it");
    }
    boolean whole = isWhole(a);
    if (!whole && lora(a.reparam()) == null) {
      throw refused(adapter, "it trains tokens of " + site.path(), "merge it");
    }
    if (whole && !wholeModules) {
      throw refused(adapter, "it trains all of " + site.path(), "merge it");
    }
    if (!(whole ? Set.of(Kind.LINEAR) : kinds).contains(site.kind())) {
      throw refused(
          adapter,
          site.path() + " is no linear module but of kind " + site.kind(),
          "leave it out of targets and modulesToSave, or merge it");
    }
    if (whole && (site.tiedTo() != null || isTied(model, site))) {
      throw refused(adapter, site.path() + " is tied to another module", "merge it");
    }
    if (a.base() != site.frozen() && !lora.init().fromData()) {
      throw refused(
          adapter,
          "it works on a base of its own (init " + lora.init() + ")",
          "make a LoRA of twice its rank of it by convertToLora(name, rank), or merge it");
    }
  }

  static boolean isTied(PeftModel model, Site site) {
    return model.sites().stream().anyMatch(s -> s.tiedTo() == site.frozen());
  }

  IllegalArgumentException refused(Adapter adapter, String found, String fix) {
    return new IllegalArgumentException(
        "adapter '"
            + adapter.name
            + "' "
            + failure
            + "\nexpected: "
            + expected
            + "\nfound: "
            + found
            + "\nfix: "
            + fix);
  }
}
