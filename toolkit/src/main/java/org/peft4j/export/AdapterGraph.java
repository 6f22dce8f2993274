package org.peft4j.export;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.adapter.PeftModel;
import org.peft4j.adapter.PlainLora;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.spi.Paths;

/**
 * A model with places for LoRA, to be traced: {@link #block} is what to trace, {@link #name} names
 * its stored tensors, {@link #withPlaces} makes those of the adapter optional inputs. What is
 * traced has scale 1, so that no scale is in the graph; adapter files have it in B.
 */
public final class AdapterGraph {
  private final PeftModel tuned;
  private final List<String> adapters;
  private final PeftModel block;
  private final List<PlainLora.Module> modules;
  private final int base;
  private final IdentityHashMap<Parameter, String> names = new IdentityHashMap<>();

  private AdapterGraph(
      PeftModel tuned,
      List<String> adapters,
      PeftModel block,
      List<PlainLora.Module> modules,
      int base) {
    this.tuned = tuned;
    this.adapters = List.copyOf(adapters);
    this.block = block;
    this.modules = modules;
    this.base = base;
    Paths.parameters(block.base()).forEach((name, p) -> names.put(p, name));
    block.trainable().forEach((name, p) -> names.put(p, name.substring(name.indexOf(':') + 1)));
  }

  /**
   * Places for every module that these adapters change.
   *
   * @throws IllegalArgumentException when one of them is no plain LoRA
   */
  public static AdapterGraph of(PeftModel model, List<String> adapters) {
    if (adapters.isEmpty()) {
      throw new IllegalArgumentException(
          "no adapter says where there are to be places\nfix: add one first");
    }
    Map<String, PlainLora.Module> modules = new LinkedHashMap<>();
    for (String name : adapters) {
      for (PlainLora.Module m : PlainLora.of(model, name).modules()) {
        PlainLora.Module other = modules.putIfAbsent(m.path(), m);
        if (other != null && other.whole() != m.whole()) {
          throw new IllegalArgumentException(
              m.path()
                  + " is trained whole by one adapter and by LoRA in another\nfound: "
                  + adapters
                  + "\nfix: export places for one of them");
        }
      }
    }
    List<PlainLora.Module> all = List.copyOf(modules.values());
    Block base = model.base() instanceof Pretrained p ? decoded(p) : model.base();
    return new AdapterGraph(
        model,
        adapters,
        PlainLora.places(base, all),
        all,
        BaseNumber.of(model.blueprint().sites()));
  }

  /** The model with weights that can be traced. */
  static Pretrained decoded(Pretrained model) {
    return model.isQuantised() ? model.dequantized() : model;
  }

  /** The base with a LoRA that adds nothing; it computes what the graph does without an adapter. */
  public Block block() {
    return block;
  }

  /** What a parameter is called in the graph. */
  public String name(Parameter parameter) {
    return names.getOrDefault(parameter, parameter.getName());
  }

  /**
   * The traced graph with optional inputs, of rank 0 where no adapter gives them, for those modules
   * that it has.
   */
  public OnnxGraph withPlaces(OnnxGraph traced) {
    return new OptionalInputs(traced).of(modules, base);
  }

  /** The model with the adapters. */
  PeftModel tuned() {
    return tuned;
  }

  /**
   * What a graph gives with each of the adapters, against the model with it; those that were never
   * trained add nothing and are left out.
   *
   * @param adapted what the graph computes, of {@link #tuned}
   */
  Comparison check(OnnxSession session, Part adapted, double tolerance) {
    Comparison all = new Comparison(List.of(), tolerance);
    if (tuned.isMerged()) {
      return all;
    }
    List<String> active = tuned.activeAdapters();
    boolean enabled = tuned.isEnabled();
    try {
      for (String name : adapters) {
        if (PlainLora.of(tuned, name).addsNothing()) {
          continue;
        }
        Path file = Files.createTempFile("peft4j", ".onnx_adapter");
        try {
          AdapterExport.write(tuned, name, file);
          session.adapter(name, file);
        } finally {
          Files.delete(file);
        }
        tuned.use(name);
        all = all.and(adapted.runs(session.use(name), tolerance).named("adapter " + name));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("an adapter for the check cannot be written", e);
    } finally {
      tuned.use(active.toArray(String[]::new));
      if (!enabled) {
        tuned.disable();
      }
    }
    return all;
  }

  /** That no graph has any of the modules. */
  IllegalArgumentException unused() {
    return new IllegalArgumentException(
        "none of the adapted modules is used by the graph's outputs\nfound: "
            + modules.stream().map(PlainLora.Module::path).toList());
  }
}
