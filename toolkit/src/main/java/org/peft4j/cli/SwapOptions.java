package org.peft4j.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.hub.Repository;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.OnnxAdapter;
import picocli.CommandLine.Option;

/** Adapters that a graph takes for each run, beside its own weights. */
final class SwapOptions {
  /** Ending of files that ONNX Runtime loads as adapters. */
  static final String ENDING = ".onnx_adapter";

  private static final String LATER = "(later ones)";

  @Option(
      names = "--swap",
      paramLabel = "DIR",
      description =
          "An adapter that is chosen for each run instead of merged: the graph gets places where it"
              + " acts, and the adapter is written beside it, as DIR"
              + ENDING
              + ". Repeatable; plain LoRA of any rank.")
  private List<String> adapters = new ArrayList<>();

  @Option(
      names = "--places",
      split = ",",
      paramLabel = "NAME",
      description =
          "Roles or module names, by commas, such as q,v or all-linear: places for adapters that"
              + " come later.")
  private List<String> places = new ArrayList<>();

  /** Whether the graph is to have places. */
  boolean wanted() {
    return !adapters.isEmpty() || !places.isEmpty();
  }

  /** The model with these adapters. */
  Tuned on(Pretrained model) {
    Map<String, String> named = named();
    @Nullable Tuned tuned = null;
    try {
      for (Map.Entry<String, String> e : named.entrySet()) {
        if (tuned == null) {
          tuned = Peft.load(model, e.getValue(), e.getKey());
        } else {
          tuned.load(e.getKey(), e.getValue());
        }
      }
      if (!places.isEmpty()) {
        tuned =
            Peft.lora(tuned == null ? model : tuned)
                .targets(places.toArray(String[]::new))
                .named(LATER)
                .apply();
      }
      return Objects.requireNonNull(tuned);
    } catch (RuntimeException e) {
      if (tuned != null) {
        tuned.close();
      }
      throw e;
    }
  }

  private Map<String, String> named() {
    Map<String, String> named = new LinkedHashMap<>();
    for (String adapter : adapters) {
      String other = named.putIfAbsent(name(adapter), adapter);
      if (other != null) {
        throw new IllegalArgumentException(
            "--swap\nexpected: folders of different names, which the adapters are called by\nfound: "
                + other
                + " and "
                + adapter);
      }
    }
    return named;
  }

  /** The last part of a path or of a repository's name. */
  private static String name(String adapter) {
    if (Repository.isNamedBy(adapter)) {
      Repository repository = Repository.parse(adapter);
      return String.valueOf(Path.of(repository.id(), repository.path()).getFileName());
    }
    return String.valueOf(Path.of(adapter).toAbsolutePath().normalize().getFileName());
  }

  /** Writes the adapters as files beside each other. */
  List<OnnxAdapter> write(Tuned tuned, Path folder) {
    return named().keySet().stream()
        .map(name -> Onnx.adapter(tuned, name, folder.resolve(name + ENDING)))
        .toList();
  }
}
