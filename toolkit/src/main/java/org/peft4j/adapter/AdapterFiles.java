package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.reparam.TrainableTokens;
import org.peft4j.reparam.XLora;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * Hugging Face PEFT's adapter directories, both ways: {@code adapter_config.json} and {@code
 * adapter_model.safetensors} (or an old {@code adapter_model.bin}). Reading is strict: a tensor
 * that is unknown, missing or misshapen is an error that lists all of them.
 */
final class AdapterFiles {
  static final String CONFIG = "adapter_config.json";
  static final String TENSORS = "adapter_model.safetensors";
  private static final String OLD_TENSORS = "adapter_model.bin";
  private static final String ROOT = "base_model.";
  private static final String MODEL = "base_model.model.";

  private AdapterFiles() {}

  // ---- writing
  // -------------------------------------------------------------------------------------------------------------

  /** Writes one adapter. */
  static void save(PeftModel model, Adapter adapter, Path dir, AdapterConfig.About about)
      throws IOException {
    if (adapter.reparam.scheduled() && !adapter.scheduleRan && model.hasTrained()) {
      throw new IllegalStateException(
          adapter.reparam.name()
              + ": its schedule never ran, so it is not what it promises\n"
              + "fix: train with fit(...), or call afterStep(n, total) after every update");
    }
    Files.createDirectories(dir);
    try (Scope scope = Scope.open();
        NDManager temporary = Torch.newManager()) {
      Torch.inference(
          () -> {
            List<At> views = model.views(adapter, temporary);
            Reparam finished = adapter.reparam.finished(views);
            Map<String, NDArray> tensors = new LinkedHashMap<>();
            Hook hook = adapter.hookAlone();
            if (hook != null) {
              finished = hook.filed();
              tensors.putAll(hookTensors(hook, model.hookView(adapter, temporary)));
            }
            keys(adapter, finished, views).forEach((key, slot) -> tensors.put(key, slot.value()));
            Safetensors.write(dir.resolve(TENSORS), tensors, Map.of("format", "pt"));
            AdapterConfig.write(dir.resolve(CONFIG), adapter, finished, model.blueprint(), about);
            ModelCard.write(dir.resolve("README.md"), adapter, model, about);
            return dir;
          });
    }
    XLora gated = Experts.method(adapter);
    for (int i = 0; gated != null && i < gated.experts().size(); i++) {
      save(model, Experts.expert(adapter, i), dir.resolve(String.valueOf(i)), about);
    }
  }

  /** A tensor of a file and the array it comes from. */
  private record Slot(String name, NDArray value) {}

  private static Map<String, NDArray> hookTensors(Hook hook, Hook.View view) {
    Declaration theta = new Declaration();
    hook.filed().declare(view.model(), theta);
    Map<String, NDArray> out = new LinkedHashMap<>();
    for (Declaration.Entry e : theta.entries()) {
      if (e.role().isFiled()) {
        out.put(e.name(), hook.stored(view, e.name()));
      }
    }
    return out;
  }

  private static Map<String, Slot> keys(Adapter adapter, Reparam finished, List<At> views) {
    Map<Site, At> bySite = new LinkedHashMap<>();
    views.forEach(v -> bySite.put(v.site(), v));
    Map<String, Slot> out = new LinkedHashMap<>();
    adapter.shared.forEach(
        (n, t) -> {
          if (t.inFile() && adapter.hookAlone() == null) {
            out.put(ROOT + n, new Slot(n, t.parameter().getArray()));
          }
        });
    for (Attachment a : adapter.attachments.values()) {
      At view = bySite.get(a.site());
      repeated(adapter, a)
          .forEach((key, t) -> out.put(key, new Slot(key, t.parameter().getArray())));
      a.tensors()
          .forEach(
              (n, t) -> {
                if (t.inFile() && !isElsewhere(adapter, a)) {
                  NDArray value =
                      view == null
                          ? t.parameter().getArray()
                          : finished.at(a.site()).stored(view, n);
                  out.put(key(adapter, a, n), new Slot(n, value));
                }
              });
      if (a.bias() != null) {
        out.put(biasKey(adapter, a), new Slot("bias", a.bias().parameter().getArray()));
      }
    }
    return out;
  }

  /** What modules' names begin with: a prompt's head stands one level higher. */
  private static String modules(Adapter adapter) {
    Hook alone = adapter.hookAlone();
    return alone == null || alone.wrapsModel() ? MODEL : ROOT;
  }

  /** What all sites share, where files have it once more at each of the method's. */
  private static Map<String, Tensor> repeated(Adapter adapter, Attachment a) {
    Map<String, Tensor> out = new LinkedHashMap<>();
    if (adapter.reparam.repeatsShared() && adapter.isOwn(a)) {
      adapter.shared.forEach(
          (n, t) -> {
            if (t.inFile()) {
              out.put(key(adapter, a, n), t);
            }
          });
    }
    return out;
  }

  /** Tokens trained beside the method stand one level lower. */
  private static String key(Adapter adapter, Attachment a, String tensor) {
    boolean beside = a.reparam() instanceof TrainableTokens && !isOfTokens(adapter);
    if (a.site().kind() == Kind.EXPERTS && adapter.isOwn(a)) {
      List<Site> adapted = adapter.adapted().stream().map(Attachment::site).toList();
      return MODEL + TargetParameters.keys(adapted).get(a.site()) + "." + tensor;
    }
    return modules(adapter) + a.name(beside ? "token_adapter." + tensor : tensor);
  }

  /** Whether the tensors of a site are not in the adapter's own file, or in it elsewhere. */
  private static boolean isElsewhere(Adapter adapter, Attachment a) {
    return isCopy(adapter, a) || (Experts.method(adapter) != null && adapter.isOwn(a));
  }

  /** Whether a tied site's tensors are left out: they are the embeddings' trained beside it. */
  private static boolean isCopy(Adapter adapter, Attachment a) {
    return a.reparam() instanceof TrainableTokens
        && !isOfTokens(adapter)
        && adapter.attachments.values().stream()
            .anyMatch(
                o -> o.site().frozen() == a.site().tiedTo() && o.tensors().equals(a.tensors()));
  }

  private static boolean isOfTokens(Adapter adapter) {
    return adapter.reparam instanceof TrainableTokens;
  }

  /** An adapted module keeps its bias under {@code base_layer}, as Hugging Face wraps it. */
  private static String biasKey(Adapter adapter, Attachment a) {
    return modules(adapter)
        + a.site().path()
        + (a.reparam() == null ? ".bias" : ".base_layer.bias");
  }

  // ---- reading
  // -------------------------------------------------------------------------------------------------------------

  /**
   * Adds the adapter in {@code dir} to {@code model} under {@code name}; leaves no trace of it if
   * anything does not fit.
   */
  static void load(PeftModel model, String name, Path dir, long seed) {
    if (!Files.exists(dir.resolve(CONFIG))) {
      throw new IllegalArgumentException(
          dir
              + ": not an adapter directory\nexpected: "
              + CONFIG
              + " and "
              + TENSORS
              + "\nfound: "
              + (Files.isDirectory(dir)
                  ? "a folder without " + CONFIG
                  : Files.exists(dir) ? "a file" : "nothing"));
    }
    List<String> before = model.activeAdapters();
    List<String> experts = new ArrayList<>();
    boolean added = false;
    try (TensorSource source = open(dir)) {
      AdapterConfig.Read read = AdapterConfig.read(dir.resolve(CONFIG), model.blueprint());
      Reparam method =
          read.reparam() instanceof XLora x
              ? Experts.load(model, x, dir, name, experts)
              : read.reparam();
      List<Site> matched = model.blueprint().match(method, read.placement());
      Map<Site, String> parameters = TargetParameters.keys(matched);
      Reparam fitted =
          method.fitted(
              matched,
              (site, tensor) -> {
                String path = parameters.getOrDefault(site, site.path());
                String key = MODEL + path + "." + tensor;
                return source.names().contains(key) ? source.info(key).shape() : null;
              });
      model.add(name, fitted, read.placement(), seed);
      added = true;
      fill(model, model.adapter(name), source, dir);
    } catch (IOException e) {
      throw new UncheckedIOException(dir + ": cannot be read: " + e.getMessage(), e);
    } catch (RuntimeException e) {
      if (added) {
        model.delete(name);
      }
      if (added || !experts.isEmpty()) {
        model.use(before.toArray(String[]::new));
      }
      throw e;
    } finally {
      experts.forEach(model::delete);
    }
  }

  private static TensorSource open(Path dir) throws IOException {
    if (Files.exists(dir.resolve(TENSORS))) {
      return TensorSource.open(dir.resolve(TENSORS));
    }
    if (Files.exists(dir.resolve(OLD_TENSORS))) {
      return TensorSource.open(dir.resolve(OLD_TENSORS));
    }
    throw new IllegalArgumentException(
        dir
            + ": no weights\nexpected: "
            + TENSORS
            + " (or an old "
            + OLD_TENSORS
            + ")\nfound: only "
            + CONFIG);
  }

  private static void fill(PeftModel model, Adapter adapter, TensorSource source, Path dir) {
    Map<String, Tensor> wanted = new LinkedHashMap<>();
    adapter.shared.forEach(
        (n, t) -> {
          if (t.inFile()) {
            wanted.put(adapter.hookAlone() == null ? ROOT + n : n, t);
          }
        });
    for (Attachment a : adapter.attachments.values()) {
      a.tensors()
          .forEach(
              (n, t) -> {
                if (t.inFile() && !isElsewhere(adapter, a)) {
                  wanted.put(key(adapter, a, n), t);
                }
              });
      if (a.bias() != null) {
        wanted.put(biasKey(adapter, a), Objects.requireNonNull(a.bias()));
      }
    }
    KnownExtras extras = new KnownExtras(model, adapter, source);
    List<String> problems = new ArrayList<>();
    Set<String> unknown = new LinkedHashSet<>(source.names());
    Map<Tensor, String> found = new LinkedHashMap<>();
    wanted.forEach(
        (key, tensor) -> {
          Shape shape = filedShape(adapter, key, tensor);
          if (!source.names().contains(key)) {
            if (!tensor.optional()) {
              problems.add("missing " + key + " " + shape);
            }
            return;
          }
          unknown.remove(key);
          if (!source.info(key).shape().equals(shape)) {
            problems.add(key + ": expected " + shape + ", found " + source.info(key).shape());
          } else {
            String other = found.put(tensor, key);
            if (other != null && !extras.same(key, other)) {
              problems.add(key + ": differs from " + other + ", which is the same tensor here");
            }
          }
        });
    adapter.attachments.values().forEach(a -> unknown.removeAll(repeated(adapter, a).keySet()));
    Hook alone = adapter.hookAlone();
    if (alone != null) {
      unknown.removeIf(key -> alone.isSpare(Objects.requireNonNull(adapter.anatomy), key));
    }
    unknown.stream().map(extras::problem).filter(Objects::nonNull).forEach(problems::add);
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          dir
              + ": the adapter does not fit this model\n"
              + String.join("\n", problems)
              + "\nfix: load it onto the model it was trained on"
              + hint(model));
    }
    Torch.inference(
        () -> {
          found.forEach(
              (tensor, key) -> {
                copy(source, key, tensor, adapter);
              });
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            AdapterBuilder.follow(adapter, temporary);
          }
          return source;
        });
  }

  private static Shape filedShape(Adapter adapter, String key, Tensor tensor) {
    Hook hook = adapter.hookAlone();
    return hook == null || !adapter.shared.containsKey(key)
        ? tensor.entry().shape()
        : hook.filedShape(Objects.requireNonNull(adapter.anatomy), tensor.entry());
  }

  private static String hint(PeftModel model) {
    List<Site> sites = model.sites();
    return sites.isEmpty()
        ? ""
        : "; this one has modules such as " + sites.get(Math.min(sites.size() - 1, 3)).path();
  }

  private static void copy(TensorSource source, String key, Tensor tensor, Adapter adapter) {
    Hook hook = adapter.shared.containsKey(key) ? adapter.hookAlone() : null;
    NDArray target = tensor.parameter().getArray();
    try (Scope scope = Scope.open();
        NDManager temporary = Torch.newManager()) {
      NDArray value = source.load(key, temporary);
      if (value.getDataType() != target.getDataType()) {
        value = value.toType(target.getDataType(), true);
      }
      Buffers.copy(
          hook == null
              ? value
              : hook.restored(Objects.requireNonNull(adapter.anatomy), tensor.entry(), value),
          target);
    }
  }

  /**
   * The tensors that Hugging Face writes besides an adapter's own: copies of base weights. They are
   * fine if they say the same as the base, or, where the method works on another, nearly as that.
   */
  private record KnownExtras(PeftModel model, Adapter adapter, TensorSource source) {
    private static final double ROUNDING = 1e-4;

    @Nullable String problem(String key) {
      String path =
          key.startsWith(MODEL)
              ? key.substring(MODEL.length())
              : key.startsWith(ROOT) ? key.substring(ROOT.length()) : key;
      String plain =
          path.replace(".base_layer.", ".")
              .replace(".original_module.", ".")
              .replaceAll("\\.modules_to_save\\.", ".");
      boolean wrapped = !plain.equals(path);
      for (Site site : model.sites()) {
        boolean weight = plain.equals(site.path() + ".weight");
        if (weight || plain.equals(site.path() + ".bias")) {
          if (path.contains(".modules_to_save.")) {
            return null; // the trained copy, under another name than the one that was read
          }
          return sameAsBase(site, weight, key, wrapped);
        }
      }
      return isCopyOfEmbeddings(key, path)
          ? null
          : "unknown " + key + " " + source.info(key).shape();
    }

    /** T5's stacks have tables of their own there, tied to the one that the model has here. */
    private boolean isCopyOfEmbeddings(String key, String path) {
      if (!path.matches("(en|de)coder\\.embed_tokens\\..+")) {
        return false;
      }
      String name = path.replaceFirst(".*\\.embed_tokens\\.", "");
      return model.sites().stream()
          .filter(s -> "embed".equals(s.role()))
          .map(s -> MODEL + s.path() + "." + name)
          .anyMatch(twin -> source.names().contains(twin) && same(key, twin));
    }

    private boolean same(String one, String other) {
      try (Scope scope = Scope.open();
          NDManager temporary = Torch.newManager()) {
        return source.load(one, temporary).contentEquals(source.load(other, temporary));
      }
    }

    private @Nullable String sameAsBase(Site site, boolean weight, String key, boolean wrapped) {
      try (Scope scope = Scope.open();
          NDManager temporary = Torch.newManager()) {
        Pass plain = Pass.of(new ai.djl.training.ParameterStore(temporary, false), false);
        Attachment a = adapter.attachments.get(site);
        Frozen frozen = a == null || !weight ? site.frozen() : a.base();
        NDArray base = weight ? frozen.weight(plain) : frozen.bias(plain);
        if (base == null || !base.getShape().equals(source.info(key).shape())) {
          return key
              + ": a base weight of another shape than this model's"
              + (base == null ? "" : " " + base.getShape());
        }
        NDArray value = source.load(key, temporary).toType(base.getDataType(), false);
        double apart = value.sub(base).abs().max().toType(DataType.FLOAT64, false).getDouble();
        boolean computed = a != null && weight && !a.ownBase().isEmpty();
        return apart <= (computed ? ROUNDING : 0)
            ? null
            : key
                + ": a base weight that differs from this model's"
                + (wrapped ? "" : ", and the adapter does not train it");
      }
    }
  }
}
