package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import org.peft4j.model.Dtype;
import org.peft4j.model.GgufLora;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraInit;
import org.peft4j.spi.At;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** LoRAs as GGUF files for llama.cpp, both ways. */
final class GgufAdapters {
  private static final LoraRule PLAIN =
      new LoraRule(
          "cannot be written as a GGUF file",
          "plain LoRA of linear modules",
          Set.of(Kind.LINEAR, Kind.EMBEDDING),
          false);

  private GgufAdapters() {}

  private static Pretrained base(PeftModel model, Path file) {
    if (model.base() instanceof Pretrained base) {
      return base;
    }
    throw new IllegalArgumentException(
        file + ": a GGUF file\nexpected: an adapter of a language model\nfound: " + model.base());
  }

  // ---- writing
  // -------------------------------------------------------------------------------------------------------------

  /** Factors with a scale {@code alpha / r} of their own. */
  private record Scaled(Site site, NDArray a, NDArray b, double alpha) {}

  static void save(PeftModel model, Adapter adapter, Path file, Dtype dtype) {
    Pretrained base = base(model, file);
    PLAIN.check(model, adapter);
    for (Attachment a : adapter.attachments.values()) {
      Site site = a.site();
      if (site.tiedTo() != null || LoraRule.isTied(model, site)) {
        throw PLAIN.refused(
            adapter,
            site.path() + " is tied to another module, which llama.cpp keeps as the same tensor",
            "leave it out of targets, or merge it");
      }
    }
    Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            List<Scaled> all = scaled(model, adapter, temporary);
            double alpha = alpha(all);
            List<GgufLora.Factors> factors = new ArrayList<>();
            for (Scaled s : all) {
              boolean same = (float) s.alpha == (float) alpha;
              NDArray b = same ? s.b : Scalars.mul(s.b, s.alpha / alpha);
              factors.add(new GgufLora.Factors(s.site.path(), s.a, b));
            }
            new GgufLora(alpha, factors).write(base, file, dtype);
            return file;
          }
        });
  }

  private static List<Scaled> scaled(PeftModel model, Adapter adapter, NDManager owner) {
    List<At> views = model.views(adapter, owner);
    Reparam finished = adapter.reparam.finished(views);
    List<Scaled> out = new ArrayList<>();
    for (At at : views) {
      Reparam here = finished.at(at.site());
      boolean embedding = at.site().kind() == Kind.EMBEDDING;
      NDArray a = here.stored(at, embedding ? "lora_embedding_A" : "lora_A.weight");
      NDArray b = here.stored(at, embedding ? "lora_embedding_B" : "lora_B.weight");
      Lora lora = Objects.requireNonNull(LoraRule.lora(here));
      long rank = a.getShape().get(0);
      out.add(
          new Scaled(
              at.site(), a, b, lora.rsLora() ? lora.alpha() * Math.sqrt(rank) : lora.alpha()));
    }
    return out;
  }

  /** The alpha that most modules have, so that few factors change; not 0. */
  private static double alpha(List<Scaled> all) {
    Map<Float, Integer> counts = new LinkedHashMap<>();
    double best = 1;
    int most = 0;
    for (Scaled s : all) {
      int n = counts.merge((float) s.alpha, 1, Integer::sum);
      if (n > most && (float) s.alpha != 0) {
        most = n;
        best = s.alpha;
      }
    }
    return best;
  }

  // ---- reading
  // -------------------------------------------------------------------------------------------------------------

  /**
   * Adds the LoRA in {@code file} to {@code model} under {@code name}; leaves no trace of it if
   * anything does not fit.
   */
  static void load(PeftModel model, String name, Path file) {
    Pretrained base = base(model, file);
    Torch.inference(
        () -> {
          try (NDManager temporary = Torch.newManager()) {
            GgufLora read = GgufLora.read(base, file, temporary);
            Map<Site, GgufLora.Factors> bySite = fitted(model, read, file);
            model.add(name, method(bySite, read.alpha()), placement(bySite.keySet()), 0);
            fill(model.adapter(name), bySite);
            return file;
          }
        });
  }

  private static Map<Site, GgufLora.Factors> fitted(PeftModel model, GgufLora read, Path file) {
    Map<String, Site> sites = new HashMap<>();
    model.sites().forEach(s -> sites.put(s.path(), s));
    Map<Site, GgufLora.Factors> out = new LinkedHashMap<>();
    List<String> problems = new ArrayList<>();
    for (GgufLora.Factors f : read.factors()) {
      Site site = sites.get(f.path());
      if (site == null || (site.kind() != Kind.LINEAR && site.kind() != Kind.EMBEDDING)) {
        problems.add("no linear module " + f.path());
        continue;
      }
      Shape found = new Shape(f.b().getShape().get(0), f.a().getShape().get(1));
      Shape expected = new Shape(site.out(), site.in());
      if (!found.equals(expected)) {
        problems.add(f.path() + ": expected " + expected + ", found " + found);
      }
      out.put(site, f);
    }
    if (out.isEmpty() && problems.isEmpty()) {
      problems.add("no factors at all");
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          file
              + ": the adapter does not fit this model\n"
              + String.join("\n", problems)
              + "\nfix: load it onto the model it was trained on");
    }
    return out;
  }

  /** llama.cpp takes alpha 0 for a scale of 1. */
  private static Lora method(Map<Site, GgufLora.Factors> bySite, double alpha) {
    Map<Integer, Integer> counts = new LinkedHashMap<>();
    bySite.values().forEach(f -> counts.merge(rank(f), 1, Integer::sum));
    int usual =
        counts.entrySet().stream()
            .max(Map.Entry.comparingByValue())
            .map(Map.Entry::getKey)
            .orElse(1);
    Map<String, Integer> ranks = new LinkedHashMap<>();
    Map<String, Double> alphas = new LinkedHashMap<>();
    bySite.forEach(
        (site, f) -> {
          if (rank(f) != usual) {
            ranks.put(Pattern.quote(site.path()), rank(f));
            if (alpha == 0) {
              alphas.put(Pattern.quote(site.path()), (double) rank(f));
            }
          }
        });
    return new Lora(
        usual, alpha == 0 ? usual : alpha, 0, false, false, LoraInit.KAIMING, ranks, alphas);
  }

  private static int rank(GgufLora.Factors f) {
    return (int) f.a().getShape().get(0);
  }

  private static Placement placement(Set<Site> sites) {
    return Placement.DEFAULT.withTargets(
        sites.stream().map(s -> "regex:" + Pattern.quote(s.path())).toList());
  }

  private static void fill(Adapter adapter, Map<Site, GgufLora.Factors> bySite) {
    adapter.attachments.forEach(
        (site, attachment) -> {
          GgufLora.Factors f = bySite.get(site);
          if (f != null) {
            NDArray[] values = {f.a(), f.b()};
            int i = 0;
            for (Tensor t : attachment.tensors().values()) { // A, then B
              Buffers.copy(values[i++], t.parameter().getArray());
            }
          }
        });
  }
}
