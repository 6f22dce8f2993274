package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Scope;

/**
 * The tensors of a file whose experts have one each, as the stacks that models have: {@code
 * experts.gate_up_proj [experts, 2 inner, hidden]}, the gate's rows before the others, and {@code
 * experts.down_proj [experts, hidden, inner]}. Files that have stacks are read as they are.
 */
final class ExpertTensors implements TensorSource {
  private static final String GATE_UP = ".experts.gate_up_proj";
  private static final String DOWN = ".experts.down_proj";

  /** What files call the three matrices of an expert. */
  record Names(String gate, String up, String down) {}

  private final TensorSource file;
  private final Map<String, List<List<String>>> stacks = new LinkedHashMap<>(); // rows by expert
  private final Set<String> names = new java.util.LinkedHashSet<>();

  /** A view of {@code file}, which stays the caller's to close. */
  ExpertTensors(TensorSource file, Names matrices) {
    this.file = file;
    Pattern one = Pattern.compile("(.*)\\.experts\\.(\\d{1,6})\\.(\\w+)\\.weight");
    Map<String, Map<Integer, Set<String>>> found = new LinkedHashMap<>();
    for (String name : file.names()) {
      Matcher m = one.matcher(name);
      if (m.matches() && List.of(matrices.gate, matrices.up, matrices.down).contains(m.group(3))) {
        found
            .computeIfAbsent(m.group(1), k -> new TreeMap<>())
            .computeIfAbsent(Integer.valueOf(m.group(2)), k -> new java.util.TreeSet<>())
            .add(m.group(3));
      } else {
        names.add(name);
      }
    }
    List<String> problems = new ArrayList<>();
    found.forEach(
        (module, experts) -> {
          List<List<String>> inner = new ArrayList<>();
          List<List<String>> outer = new ArrayList<>();
          for (int e = 0; e < experts.size(); e++) {
            Set<String> own = experts.getOrDefault(e, Set.of());
            String prefix = module + ".experts." + e + ".";
            if (own.size() < 3) {
              problems.add(prefix + "*: expected " + matrices + ", found " + own);
            }
            inner.add(
                List.of(prefix + matrices.gate + ".weight", prefix + matrices.up + ".weight"));
            outer.add(List.of(prefix + matrices.down + ".weight"));
          }
          stacks.put(module + GATE_UP, inner);
          stacks.put(module + DOWN, outer);
        });
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          file.origin() + ": experts are missing\n" + String.join("\n", problems));
    }
    names.addAll(stacks.keySet());
  }

  @Override
  public Path origin() {
    return file.origin();
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(names);
  }

  @Override
  public Info info(String name) {
    List<List<String>> parts = stacks.get(name);
    if (parts == null) {
      return file.info(name);
    }
    Info first = file.info(parts.get(0).get(0));
    long bytes = 0;
    for (List<String> expert : parts) {
      for (String part : expert) {
        Info own = file.info(part);
        if (!own.shape().equals(first.shape()) || own.shape().dimension() != 2) {
          throw new IllegalArgumentException(
              origin()
                  + ": "
                  + part
                  + "\nexpected: a matrix of the shape of the first expert's, "
                  + first.shape()
                  + "\nfound: "
                  + own.shape());
        }
        bytes += own.bytes();
      }
    }
    return new Info(
        first.dtype(),
        new Shape(parts.size(), parts.get(0).size() * first.shape().get(0), first.shape().get(1)),
        bytes);
  }

  @Override
  public NDArray load(String name, NDManager manager) {
    List<List<String>> parts = stacks.get(name);
    if (parts == null) {
      return file.load(name, manager);
    }
    NDArray stack = manager.create(info(name).shape(), DataType.FLOAT32);
    for (int e = 0; e < parts.size(); e++) {
      long row = 0;
      for (String part : parts.get(e)) {
        try (Scope scope = Scope.open();
            NDManager temporary = manager.newSubManager()) {
          NDArray value = file.load(part, temporary).toType(DataType.FLOAT32, false);
          long rows = value.getShape().get(0);
          stack.set(new NDIndex("{}, {}:{}", e, row, row + rows), value);
          row += rows;
        }
      }
    }
    return stack;
  }

  /** The entries of one stack in a file that has a tensor for each expert. */
  static List<Safetensors.Entry> split(Safetensors.Entry stack, Names matrices) {
    String name = stack.name();
    boolean inner = name.endsWith(GATE_UP);
    if (!inner && !name.endsWith(DOWN)) {
      return List.of(stack);
    }
    String module = name.substring(0, name.length() - (inner ? GATE_UP : DOWN).length());
    long experts = stack.shape().get(0);
    long rows = stack.shape().get(1) / (inner ? 2 : 1);
    List<Safetensors.Entry> out = new ArrayList<>();
    for (long e = 0; e < experts; e++) {
      long expert = e;
      List<String> parts = inner ? List.of(matrices.gate, matrices.up) : List.of(matrices.down);
      for (int i = 0; i < parts.size(); i++) {
        long from = i * rows;
        out.add(
            new Safetensors.Entry(
                module + ".experts." + e + "." + parts.get(i) + ".weight",
                stack.dtype(),
                new Shape(rows, stack.shape().get(2)),
                () ->
                    stack
                        .values()
                        .get()
                        .get(new NDIndex("{}, {}:{}", expert, from, from + rows))
                        .duplicate()));
      }
    }
    return out;
  }

  @Override
  public void close() {
    file.close();
  }
}
