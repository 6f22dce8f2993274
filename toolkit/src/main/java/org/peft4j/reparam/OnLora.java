package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Storage;

/**
 * A method whose effect on the weight is that of {@link #lora}, and which trains or starts its
 * factors in a way of its own. Its files are LoRA's, unless it says otherwise.
 */
interface OnLora extends Additive {
  /** What it computes. */
  Lora lora();

  /** The same method on another configuration. */
  OnLora on(Lora lora);

  /** The view in which LoRA finds its factors, for methods that compute them. */
  default At factors(At at) {
    return at;
  }

  @Override
  default String peftType() {
    return lora().peftType();
  }

  @Override
  default boolean transposable() {
    return lora().transposable();
  }

  @Override
  default Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.CONV, Kind.EMBEDDING);
  }

  @Override
  default Reparam at(Site site) {
    Lora here = lora().at(site);
    return here.equals(lora()) ? this : on(here);
  }

  @Override
  default Map<Site, Reparam> plan(List<Site> sites) {
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    lora()
        .plan(sites)
        .forEach((s, here) -> plan.put(s, here.equals(lora()) ? this : on((Lora) here)));
    return plan;
  }

  @Override
  default Reparam finished(List<At> sites) {
    return on(lora().finished(sites));
  }

  @Override
  default NDArray stored(At at, String tensor) {
    return lora().stored(at, tensor);
  }

  @Override
  default void declare(Site site, Declaration theta) {
    lora().declare(site, theta);
  }

  @Override
  default @Nullable NDArray shift(At at) {
    return lora().shift(at);
  }

  @Override
  default @Nullable Storage storage() {
    return lora().storage();
  }

  @Override
  default NDArray delta(At at) {
    return lora().delta(factors(at));
  }

  @Override
  default @Nullable NDArray biasDelta(At at) {
    return lora().biasDelta(at);
  }

  @Override
  default NDArray branch(At at, NDArray x) {
    return lora().branch(factors(at), x);
  }

  @Override
  default NDArray forward(At at, NDArray x) {
    return lora().forward(factors(at), x);
  }

  @Override
  default Reparam fitted(List<Site> sites, BiFunction<Site, String, @Nullable Shape> shapes) {
    return on(lora().fitted(sites, shapes));
  }

  @Override
  default Map<String, Object> toConfig() {
    return lora().toConfig();
  }

  @Override
  default String summary() {
    return lora().summary();
  }
}
