package org.peft4j.adapter;

import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.XLora;
import org.peft4j.spi.At;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** The LoRAs of an {@link XLora}: taken from a model's adapters, and from and to their files. */
public final class Experts {
  private static final List<String> TENSORS = List.of(PlainLora.A, PlainLora.B);

  private static final LoraRule RULE =
      new LoraRule(
          "cannot be an expert of xlora",
          "plain LoRA of linear modules",
          Set.of(Kind.LINEAR),
          false);

  private Experts() {}

  /**
   * Adapters of a model as experts.
   *
   * @throws IllegalArgumentException when one of them is no plain LoRA of linear modules
   */
  public static List<XLora.Expert> of(PeftModel model, List<String> names) {
    List<XLora.Expert> out = new ArrayList<>();
    for (String name : names) {
      Adapter adapter = model.adapter(name);
      RULE.check(model, adapter);
      List<String> modules = adapter.adapted().stream().map(a -> a.site().path()).toList();
      out.add(new XLora.Expert(name, finished(model, adapter), modules));
    }
    return out;
  }

  private static Lora finished(PeftModel model, Adapter adapter) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            Reparam method = adapter.reparam.finished(model.views(adapter, temporary));
            return Objects.requireNonNull(LoraRule.lora(method));
          }
        });
  }

  /** The experts of an adapter, or null for other methods. */
  static @Nullable XLora method(Adapter adapter) {
    return adapter.reparam instanceof XLora x ? x : null;
  }

  /** Gives experts the values of the adapters that they are from. */
  static void copy(PeftModel model, Adapter adapter) {
    XLora method = method(adapter);
    for (int i = 0; method != null && i < method.experts().size(); i++) {
      String from = method.experts().get(i).from();
      if (!from.isEmpty()) {
        copy(model, model.adapter(from), expert(adapter, i));
      }
    }
  }

  private static void copy(PeftModel model, Adapter from, Adapter to) {
    Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            List<At> views = model.views(from, temporary);
            Reparam finished = from.reparam.finished(views);
            for (At view : views) {
              Attachment a = to.attachments.get(view.site());
              if (a == null) {
                throw new IllegalArgumentException(
                    "targets: xlora adapts what its LoRAs do\nfound: "
                        + view.site().path()
                        + " of '"
                        + from.name
                        + "' is left out\nfix: leave targets, exclude, layers and modulesToSave out");
              }
              for (String n : TENSORS) {
                Tensor tensor = Objects.requireNonNull(a.tensors().get(n));
                Buffers.copy(
                    finished.at(view.site()).stored(view, n), tensor.parameter().getArray());
              }
            }
          }
          return to;
        });
  }

  /** The i-th LoRA as an adapter of its own, of the same tensors. */
  static Adapter expert(Adapter adapter, int i) {
    Lora lora = Objects.requireNonNull(method(adapter)).experts().get(i).lora();
    Map<Site, Attachment> attachments = new LinkedHashMap<>();
    for (Attachment a : adapter.adapted()) {
      Map<String, Tensor> own = new LinkedHashMap<>();
      for (String n : TENSORS) {
        Tensor tensor = a.tensors().get(XLora.tensor(i, n));
        if (tensor != null) {
          own.put(n, tensor);
        }
      }
      if (!own.isEmpty()) {
        Site site = a.site();
        attachments.put(site, new Attachment(site, lora.at(site), own, null, site.frozen()));
      }
    }
    return new Adapter(
        String.valueOf(i), lora, Placement.DEFAULT, adapter.seed, Map.of(), attachments, null);
  }

  /**
   * Loads the LoRAs that a file names, each as an adapter for the time being.
   *
   * @param names of these adapters, which the caller deletes
   */
  static XLora load(PeftModel model, XLora read, Path dir, String name, List<String> names) {
    for (int i = 0; i < read.experts().size(); i++) {
      String expert = name + ", expert " + i;
      Path folder = folder(dir, i, read.experts().get(i).from());
      AdapterFiles.load(model, expert, folder, 0);
      names.add(expert);
    }
    return read.on(of(model, names));
  }

  /** Refuses to write adapters into the folders of an adapter's experts, which are 0, 1, ... */
  static void requireFolders(Adapter adapter, List<String> others) {
    XLora method = method(adapter);
    for (int i = 0; method != null && i < method.experts().size(); i++) {
      if (others.contains(String.valueOf(i))) {
        throw new IllegalArgumentException(
            "save: adapter '"
                + i
                + "' and a LoRA of '"
                + adapter.name
                + "' would be in one folder\nfix: save each into a directory of its own, by its name");
      }
    }
  }

  /** Where an expert lies: where the file says, or beside it. */
  private static Path folder(Path dir, int i, String said) {
    Path beside = dir.resolve(String.valueOf(i));
    List<Path> places =
        said.isEmpty() ? List.of(beside) : List.of(dir.resolve(said), Path.of(said), beside);
    for (Path place : places) {
      if (Files.exists(place.resolve(AdapterFiles.CONFIG))) {
        requireLora(place.resolve(AdapterFiles.CONFIG));
        return place;
      }
    }
    throw new IllegalArgumentException(
        dir.resolve(AdapterFiles.CONFIG)
            + ": adapters: LoRA "
            + i
            + "\nexpected: a folder at one of "
            + places
            + "\nfound: none\nfix: put the LoRA at the last of them");
  }

  private static void requireLora(Path config) {
    try {
      Object type = Json.read(config).get("peft_type");
      if (!"LORA".equals(type)) {
        throw new IllegalArgumentException(
            config + ": an expert of xlora\nexpected: peft_type LORA\nfound: " + type);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(config + ": cannot be read: " + e.getMessage(), e);
    }
  }
}
