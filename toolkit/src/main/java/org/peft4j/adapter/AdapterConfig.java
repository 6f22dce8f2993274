package org.peft4j.adapter;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.AtomicFiles;
import org.peft4j.format.Json;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;

/**
 * {@code adapter_config.json} of Hugging Face PEFT: what all methods have in common; the rest is
 * the method's own.
 */
final class AdapterConfig {
  /**
   * Modules that Hugging Face adds to {@code modules_to_save} of every classifier, whether the
   * model has them or not.
   */
  private static final Set<String> USUAL_HEADS = Set.of("classifier", "score");

  private static final String TOKENS = "trainable_token_indices";

  /** The role of the table that tokens are looked up in. */
  private static final String EMBEDDINGS = "embed";

  /** The type that has them. */
  private static final String LORA = "LORA";

  private static final String LAYERS = "layers_to_transform";

  /** Types whose configuration in Hugging Face PEFT has no {@code modules_to_save}. */
  private static final Set<String> WITHOUT_MODULES =
      Set.of("TRAINABLE_TOKENS", "XLORA", "ADAPTION_PROMPT");

  /** What an expression among targets begins with. */
  private static final String EXPRESSION = "regex:";

  private static final String PARAMETERS = "target_parameters";

  private static final String REPLICATION = "layer_replication";

  private static final String FEED_FORWARD = "feedforward_modules";

  private AdapterConfig() {}

  /**
   * What an adapter file says about its base.
   *
   * @param base name or path of the base model, or null
   * @param taskType Hugging Face's task type such as {@code SEQ_CLS}, or null
   */
  record About(@Nullable String base, @Nullable String taskType) {}

  record Read(Reparam reparam, Placement placement) {}

  static void write(Path file, Adapter adapter, Reparam finished, Blueprint blueprint, About about)
      throws IOException {
    Map<String, @Nullable Object> c = new LinkedHashMap<>();
    c.put("auto_mapping", null);
    c.put("base_model_name_or_path", about.base());
    List<Site> all = blueprint.sites();
    Hook hook = adapter.hook();
    if (adapter.reparam.transposable()
        && adapter.adapted().stream().anyMatch(a -> blueprint.isTransposed(a.site()))) {
      c.put("fan_in_fan_out", true);
    }
    if (Experts.method(adapter) == null && adapter.hookAlone() == null) {
      if (adapter.reparam.namesBias() || adapter.placement.bias() != Placement.Bias.NONE) {
        c.put("bias", bias(adapter));
      }
      List<Site> adapted = adapter.adapted().stream().map(Attachment::site).toList();
      List<Site> parameters = adapted.stream().filter(TargetParameters::isOne).toList();
      c.put(
          "target_modules",
          names(
              adapted.stream().filter(s -> !TargetParameters.isOne(s)).toList(),
              all.stream().filter(s -> !TargetParameters.isOne(s)).toList(),
              adapter.placement));
      if (!parameters.isEmpty() && adapter.reparam.peftType().equals(LORA)) {
        c.put(PARAMETERS, parameters.stream().map(TargetParameters::name).sorted().toList());
      }
    } else if (hook != null && !hook.targetModules(anatomy(adapter)).isEmpty()) {
      c.put("target_modules", hook.targetModules(anatomy(adapter)));
    } else if (adapter.hookAlone() != null && !adapter.placement.layers().isEmpty()) {
      c.put(LAYERS, adapter.placement.layers().stream().sorted().map(Integer::longValue).toList());
    }
    if (hook != null) {
      hook.sizes(anatomy(adapter)).forEach((k, v) -> c.put(k, widen(v)));
    }
    c.put("inference_mode", true);
    List<String> whole = adapter.placement.modulesToSave();
    if (!whole.isEmpty() || !WITHOUT_MODULES.contains(adapter.reparam.peftType())) {
      c.put("modules_to_save", whole.isEmpty() ? null : whole);
    }
    c.put("peft_type", adapter.reparam.peftType());
    if (!adapter.placement.tokens().isEmpty()) {
      c.put(TOKENS, tokens(adapter.placement.tokens()));
    }
    c.put("revision", null);
    c.put("task_type", about.taskType());
    finished.toConfig().forEach((k, v) -> c.put(k, v == Entries.NULL ? null : widen(v)));
    if (c.get(FEED_FORWARD) instanceof List<?> some
        && c.get("target_modules") instanceof List<?> t) {
      c.put(FEED_FORWARD, t.stream().filter(n -> ends(n, some)).toList());
    }
    // sorted as Hugging Face does it, but for patterns, in which the first match wins
    AtomicFiles.writeString(file, Json.formatUnsorted(new TreeMap<>(c)));
  }

  private static Anatomy anatomy(Adapter adapter) {
    return Objects.requireNonNull(adapter.anatomy);
  }

  /** A list for the embeddings that every model has, else a list by module. */
  private static Object tokens(Map<String, List<Integer>> tokens) {
    Map<String, Object> byModule = new TreeMap<>();
    tokens.forEach((m, ids) -> byModule.put(m, ids.stream().map(Integer::longValue).toList()));
    Object embed = byModule.get(EMBEDDINGS);
    return embed != null && byModule.size() == 1 ? embed : byModule;
  }

  /** LoRA's relatives say {@code lora_only}, others name themselves. */
  private static String bias(Adapter adapter) {
    String type = adapter.reparam.peftType();
    boolean others = adapter.placement.bias() == Placement.Bias.LORA_ONLY && !type.endsWith("LORA");
    return others ? type.toLowerCase(Locale.ROOT) + "_only" : adapter.placement.bias().text();
  }

  /** Hugging Face wants these among the targets, word for word. */
  private static boolean ends(@Nullable Object name, List<?> ends) {
    return ends.stream().anyMatch(e -> String.valueOf(name).endsWith(String.valueOf(e)));
  }

  private static Object widen(Object v) {
    return v instanceof Integer i ? (Object) i.longValue() : v;
  }

  /**
   * The shortest names whose reading by Hugging Face (equal, or the end at a dot) gives exactly
   * these sites.
   */
  private static List<String> names(List<Site> adapted, List<Site> all, Placement placement) {
    Set<String> ends = new TreeSet<>();
    adapted.forEach(s -> ends.add(s.path().substring(s.path().lastIndexOf('.') + 1)));
    Set<Site> saved = new LinkedHashSet<>();
    placement.modulesToSave().forEach(m -> saved.addAll(Targets.modules(all, m)));
    Set<Site> hit = new LinkedHashSet<>();
    for (Site s : all) {
      if (!saved.contains(s)
          && ends.stream().anyMatch(e -> s.path().equals(e) || s.path().endsWith("." + e))) {
        hit.add(s);
      }
    }
    if (hit.equals(new LinkedHashSet<>(adapted))) {
      return List.copyOf(ends);
    }
    return adapted.stream().map(Site::path).sorted().toList();
  }

  static Read read(Path file, Blueprint blueprint) throws IOException {
    Map<String, @Nullable Object> values = Json.read(file);
    Entries c = new Entries(file.toString(), values);
    String type = c.textOrNull("peft_type");
    if (type == null) {
      throw new IllegalArgumentException(
          file + ": no peft_type\nfix: this is not the configuration of an adapter");
    }
    Reparam reparam;
    Placement placement;
    try {
      reparam = Methods.byPeftType(type).read().apply(c);
      if (reparam instanceof Hook hook) {
        requireSizes(c, hook.sizes(blueprint.anatomy(hook)));
        reparam = hook.filed();
      }
      requireNoNewLayers(c, values);
      placement = placement(c, values, blueprint, reparam);
    } catch (IllegalArgumentException e) {
      String message = String.valueOf(e.getMessage());
      throw message.startsWith(file.toString())
          ? e
          : new IllegalArgumentException(file + ": " + message, e);
    }
    c.accept(
        "auto_mapping",
        "base_model_name_or_path",
        "inference_mode",
        "peft_type",
        "peft_version",
        "revision",
        "task_type",
        "fan_in_fan_out");
    c.requireAllRead();
    return new Read(reparam, placement);
  }

  /** An adapter changes no model, so it does not make one deeper either. */
  private static void requireNoNewLayers(Entries c, Map<String, @Nullable Object> values) {
    if (c.has(REPLICATION)) {
      throw new IllegalArgumentException(
          REPLICATION
              + "\nexpected: null\nfound: "
              + values.get(REPLICATION)
              + ", which makes the base deeper by repeating its layers"
              + "\nfix: keep the deeper model as one of its own, with a copy of each repeated layer, and"
              + " load the adapter onto that, without this entry");
    }
  }

  private static void requireSizes(Entries c, Map<String, Object> sizes) {
    List<String> wrong = new ArrayList<>();
    sizes.forEach(
        (key, ours) -> {
          int expected = ((Number) ours).intValue();
          int found = c.integer(key, expected);
          if (found != expected) {
            wrong.add(key + ": the model has " + expected + ", the file says " + found);
          }
        });
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(
          "the adapter does not fit this model\n"
              + String.join("\n", wrong)
              + "\nfix: load it onto the model it was trained on");
    }
  }

  private static Placement placement(
      Entries c, Map<String, @Nullable Object> values, Blueprint blueprint, Reparam reparam) {
    List<Site> sites = blueprint.sites();
    List<String> targets = new ArrayList<>();
    if (!reparam.kinds().isEmpty()) { // a hook says itself where it acts
      targets.addAll(patterns(c, values, "target_modules"));
    }
    List<String> exclude = new ArrayList<>(patterns(c, values, "exclude_modules"));
    List<String> parameters = c.texts(PARAMETERS);
    Map<Boolean, List<String>> bare =
        parameters.stream()
            .collect(
                Collectors.partitioningBy(
                    p -> sites.stream().anyMatch(s -> TargetParameters.matches(p, s))));
    targets.addAll(TargetParameters.targets(bare.getOrDefault(true, List.of()), sites));
    targets.addAll(modules(bare.getOrDefault(false, List.of()), blueprint));
    for (Site s : sites) { // a module's name or expression is not for these
      if (TargetParameters.isOne(s)
          && parameters.stream().noneMatch(p -> TargetParameters.matches(p, s))) {
        exclude.add(s.path());
      }
    }
    exclude.removeIf(
        e ->
            !e.startsWith(EXPRESSION)
                && sites.stream().noneMatch(s -> s.path().equals(e) || s.path().endsWith("." + e)));
    Set<String> save = new LinkedHashSet<>();
    for (String m : c.texts("modules_to_save")) {
      save.addAll(endingIn(m, sites));
    }
    Set<Integer> layers =
        reparam instanceof Hook hook
            ? layers(hook.targetModules(blueprint.anatomy(hook)), c, values)
            : new LinkedHashSet<>(c.integers(LAYERS));
    c.accept("layers_pattern");
    String bias = c.text("bias", "none");
    return new Placement(
        targets,
        exclude,
        layers,
        List.copyOf(save),
        Placement.Bias.of(bias),
        tokens(c, values.get(TOKENS)));
  }

  /**
   * The numbers of the layers that the file of a hook adapts, by {@code target_modules} where it
   * names layers so, as Hugging Face reads them; none for all.
   *
   * @param all the names of all layers
   */
  private static Set<Integer> layers(
      List<String> all, Entries c, Map<String, @Nullable Object> values) {
    Set<Integer> numbers = new LinkedHashSet<>(c.integers(LAYERS));
    List<String> wanted = all.isEmpty() ? List.of() : patterns(c, values, "target_modules");
    if (wanted.isEmpty()) {
      return numbers;
    }
    Set<Integer> out = new LinkedHashSet<>();
    for (String layer : all) {
      int n = Site.layerOf(layer);
      boolean counts = numbers.isEmpty() || numbers.contains(n); // but for whole names
      if (wanted.stream()
          .anyMatch(
              w ->
                  w.startsWith(EXPRESSION)
                      ? layer.matches(w.substring(EXPRESSION.length()))
                      : layer.equals(w) || (counts && layer.endsWith("." + w)))) {
        out.add(n);
      }
    }
    if (out.isEmpty()) {
      throw new IllegalArgumentException(
          "target_modules\nexpected: layers, such as " + all.get(0) + "\nfound: " + wanted);
    }
    return out.size() == all.size() ? Set.of() : out;
  }

  /**
   * The linear modules whose weights are {@code target_parameters}: a LoRA of such a weight is that
   * of its module.
   */
  private static List<String> modules(List<String> parameters, Blueprint blueprint) {
    List<String> out = new ArrayList<>();
    for (String name : parameters) {
      String module = name.replaceFirst("\\.weight$", "");
      List<Site> hit =
          blueprint.sites().stream()
              .filter(s -> s.path().equals(module) || s.path().endsWith("." + module))
              .toList();
      if (hit.isEmpty()
          || module.equals(name)
          || hit.stream().anyMatch(s -> s.kind() != Kind.LINEAR || blueprint.isTransposed(s))) {
        throw new IllegalArgumentException(
            PARAMETERS
                + "\nexpected: weights of linear modules, such as q_proj.weight\nfound: "
                + name
                + (hit.isEmpty()
                    ? ", of no module here"
                    : ", of " + hit.get(0).path() + ", whose parameters a LoRA has no place for"));
      }
      hit.forEach(s -> out.add(s.path()));
    }
    return out;
  }

  private static Map<String, List<Integer>> tokens(Entries c, @Nullable Object found) {
    if (!(found instanceof Map<?, ?> byModule)) {
      List<Integer> ids = c.integers(TOKENS);
      return ids.isEmpty() ? Map.of() : Map.of(EMBEDDINGS, ids);
    }
    c.accept(TOKENS);
    Map<String, @Nullable Object> entries = new LinkedHashMap<>();
    byModule.forEach((module, ids) -> entries.put(String.valueOf(module), ids));
    Entries each = new Entries(TOKENS, entries);
    Map<String, List<Integer>> out = new LinkedHashMap<>();
    entries.keySet().forEach(module -> out.put(module, each.integers(module)));
    return out;
  }

  /**
   * The modules that Hugging Face takes {@code name} for: those whose path ends in it, even within
   * a word ({@code norm} in {@code layernorm}).
   */
  private static Set<String> endingIn(String name, List<Site> sites) {
    Set<String> modules = new LinkedHashSet<>();
    for (Site s : sites) {
      String path = s.path();
      for (int end = path.length(); end > 0; end = path.lastIndexOf('.', end - 1)) {
        String module = path.substring(0, end);
        if (module.endsWith(name)) {
          modules.add(module);
        }
      }
    }
    if (modules.isEmpty() && !USUAL_HEADS.contains(name)) {
      return Set.of(name); // an error later, with the nearest names
    }
    boolean whole = modules.stream().allMatch(m -> m.equals(name) || m.endsWith("." + name));
    return whole && !modules.isEmpty() ? Set.of(name) : modules;
  }

  /**
   * A list of names, each given so that it cannot be taken for a role; or one regular expression.
   */
  private static List<String> patterns(
      Entries c, Map<String, @Nullable Object> values, String key) {
    if (values.get(key) instanceof String s) {
      c.accept(key);
      return List.of(s.equals("all-linear") ? s : EXPRESSION + s);
    }
    List<String> out = new ArrayList<>();
    for (String name : c.texts(key)) {
      boolean role = Targets.ROLES.contains(name);
      out.add(role ? EXPRESSION + "(.*\\.)?" + java.util.regex.Pattern.quote(name) : name);
    }
    return out;
  }
}
