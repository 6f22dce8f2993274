package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.At;
import org.peft4j.spi.Init;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Storage;

/** How LoRA's A {@code [r, in]} and B {@code [out, r]} start; {@link LoraInit} has them all. */
public interface LoraStart {
  /** A's first value at a site. */
  Init a(Lora lora, Site site);

  /** B's first value at a site. */
  Init b(Lora lora, Site site);

  /** The configuration at every site, for starts that move ranks. */
  default Map<Site, Reparam> plan(Lora lora, List<Site> sites) {
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    sites.forEach(s -> plan.put(s, lora.at(s)));
    return plan;
  }

  /** Whether the product of A and B is taken out of the base, so that the start is W0. */
  default boolean shifts() {
    return false;
  }

  /** The weight that stands in for W0 where it {@link #shifts}. */
  default NDArray base(Lora lora, At at) {
    return at.w0().sub(lora.delta(at));
  }

  /** How {@link #base} is kept; null for plain numbers. */
  default @Nullable Storage keptIn() {
    return null;
  }

  /** Whether it needs a weight that is a matrix. */
  default boolean needsMatrix() {
    return shifts();
  }

  /** Whether it comes from data, so that a file cannot name it and has to hold its effect. */
  default boolean fromData() {
    return false;
  }

  /** What {@code init_lora_weights} of a file says. */
  Object toConfig();

  /** What else a file says of it. */
  default Map<String, Object> moreConfig() {
    return Map.of();
  }
}
