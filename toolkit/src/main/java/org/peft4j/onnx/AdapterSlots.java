package org.peft4j.onnx;

import ai.djl.ndarray.types.DataType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;

/**
 * The places for adapters in a graph. The graph's file tells of them in its metadata, because ONNX
 * Runtime's Java API does not list optional inputs.
 *
 * @param base what the graph is made of, in a number that adapters repeat; 0 where nothing says it
 */
public record AdapterSlots(int base, List<AdapterSlot> slots) {
  /** The entry of the file's metadata. */
  public static final String METADATA = "adapter_slots";

  /** Model versions of adapter files that say nothing: left out, or what Olive writes. */
  private static final int UNSAID = 1;

  private static final int MOST_PROBLEMS = 20;

  public AdapterSlots {
    slots = List.copyOf(slots);
  }

  static AdapterSlots none() {
    return new AdapterSlots(0, List.of());
  }

  /** As the metadata of a file says. */
  static AdapterSlots of(Path file, Map<String, String> metadata) {
    String text = metadata.get(METADATA);
    if (text == null) {
      return none();
    }
    String origin = file + ": metadata " + METADATA;
    try {
      Map<?, ?> whole = (Map<?, ?>) Objects.requireNonNull(Json.parse(text, origin));
      List<AdapterSlot> slots = new ArrayList<>();
      for (Object slot : (List<?>) Objects.requireNonNull(whole.get("slots"))) {
        slots.add(slot((Map<?, ?>) slot));
      }
      return new AdapterSlots(((Long) Objects.requireNonNull(whole.get("base"))).intValue(), slots);
    } catch (ClassCastException | NullPointerException e) {
      throw new IllegalArgumentException(
          origin
              + "\nexpected: {\"base\": 1, \"slots\": [{\"module\": \"m\", \"inputs\": [{\"name\": \"n\", "
              + "\"type\": \"float32\", \"dims\": [\"8\"]}]}]}\nfound: something else",
          e);
    }
  }

  private static AdapterSlot slot(Map<?, ?> json) {
    List<GraphValue> inputs = new ArrayList<>();
    for (Object one : (List<?>) Objects.requireNonNull(json.get("inputs"))) {
      Map<?, ?> input = (Map<?, ?>) one;
      List<String> dims = new ArrayList<>();
      ((List<?>) Objects.requireNonNull(input.get("dims"))).forEach(d -> dims.add((String) d));
      inputs.add(
          new GraphValue(
              text(input, "name"),
              DataType.valueOf(text(input, "type").toUpperCase(Locale.ROOT)),
              dims));
    }
    return new AdapterSlot(text(json, "module"), inputs);
  }

  private static String text(Map<?, ?> json, String key) {
    return (String) Objects.requireNonNull(json.get(key));
  }

  /** For the metadata of a file. */
  public String toJson() {
    Map<String, @Nullable Object> whole = new LinkedHashMap<>();
    whole.put("base", (long) base);
    whole.put(
        "slots",
        slots.stream()
            .map(
                s -> {
                  Map<String, @Nullable Object> slot = new LinkedHashMap<>();
                  slot.put("module", s.module());
                  slot.put("inputs", s.inputs().stream().map(AdapterSlots::json).toList());
                  return slot;
                })
            .toList());
    return Json.line(whole);
  }

  private static Map<String, @Nullable Object> json(GraphValue input) {
    Map<String, @Nullable Object> json = new LinkedHashMap<>();
    json.put("name", input.name());
    json.put("type", Types.text(input.type()));
    json.put("dims", input.dims());
    return json;
  }

  /** The places of two graphs that take parts of the same adapter. */
  AdapterSlots and(AdapterSlots other) {
    Map<String, AdapterSlot> all = new LinkedHashMap<>();
    slots.forEach(s -> all.put(s.module(), s));
    other.slots.forEach(s -> all.putIfAbsent(s.module(), s));
    return new AdapterSlots(base == 0 ? other.base : base, List.copyOf(all.values()));
  }

  /** Names of all inputs that adapters can give. */
  Set<String> names() {
    return slots.stream()
        .flatMap(s -> s.inputs().stream())
        .map(GraphValue::name)
        .collect(Collectors.toSet());
  }

  /** Paths of the modules that adapters can act in. */
  public List<String> modules() {
    return slots.stream().map(AdapterSlot::module).toList();
  }

  /**
   * Holds an adapter against the graph: it may leave modules out, but what it has must be whole and
   * fit.
   *
   * @throws IllegalArgumentException with all that does not
   */
  void check(OnnxAdapter adapter, Path graph) {
    if (slots.isEmpty()) {
      throw new IllegalArgumentException(
          graph.getFileName()
              + " has no places for adapters\nfound: no entry "
              + METADATA
              + " in its metadata\nfix: Onnx.withAdapters(tuned).write(file), or peft export --places, writes one that has");
    }
    List<String> problems = problems(adapter);
    if (!problems.isEmpty()) {
      String more =
          problems.size() > MOST_PROBLEMS
              ? "\nand " + (problems.size() - MOST_PROBLEMS) + " more"
              : "";
      throw new IllegalArgumentException(
          adapter.file()
              + ": the adapter does not fit "
              + graph.getFileName()
              + "\nfound: "
              + String.join(
                  "\nfound: ", problems.subList(0, Math.min(problems.size(), MOST_PROBLEMS)))
              + more
              + "\nfix: write adapter and graph from models of the same base");
    }
  }

  private List<String> problems(OnnxAdapter adapter) {
    Map<String, OnnxAdapter.Tensor> left = new LinkedHashMap<>();
    adapter.tensors().forEach(t -> left.put(t.name(), t));
    List<String> problems = new ArrayList<>();
    if (left.isEmpty()) {
      problems.add("no tensors");
    }
    for (AdapterSlot slot : slots) {
      if (slot.inputs().stream().noneMatch(i -> left.containsKey(i.name()))) {
        continue;
      }
      Map<String, String> sizes = new HashMap<>();
      for (GraphValue input : slot.inputs()) {
        OnnxAdapter.Tensor t = left.remove(input.name());
        String problem = t == null ? "missing: " + input : input.misfit(t.type(), t.shape(), sizes);
        if (problem != null) {
          problems.add(problem);
        }
      }
    }
    left.values()
        .forEach(
            t ->
                problems.add(
                    "unknown: \""
                        + t.name()
                        + "\", the graph has modules such as "
                        + slots.get(0).module()));
    int made = adapter.modelVersion();
    if (made != base && base != 0 && made != 0 && made != UNSAID) {
      problems.add("made for another base: it says " + made + ", the graph is " + base);
    }
    return problems;
  }
}
