package org.peft4j.onnx;

import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.peft4j.onnx.Emission.Ref;

/**
 * Whole numbers as values of the graph: those that follow the sizes are computed from the shapes of
 * its inputs. An input dimension that is exactly the number wanted is read as it is, even where it
 * could be computed from others: a caller may pass a longer buffer in one of those.
 */
final class SymbolicIntegers {
  private final Emission emission;
  private final Alignment alignment;
  private final Set<String> unread;
  private final Map<Symbol, Ref> sources = new LinkedHashMap<>();
  private final Map<Symbol, String> labels = new LinkedHashMap<>();

  /**
   * Numbers of a graph.
   *
   * @param unread names whose own dimensions say nothing, as a longer buffer may be given there
   */
  SymbolicIntegers(Emission emission, Alignment alignment, Set<String> unread) {
    this.emission = emission;
    this.alignment = alignment;
    this.unread = unread;
  }

  void source(Dim dim, Ref input, int axis) {
    if (!dim.fixed()) {
      Symbol symbol = Symbol.of(dim, alignment.grid().names());
      labels.putIfAbsent(symbol, dim.label());
      boolean alone = dim.factors().size() == 1 && dim.constant() == 0;
      if (!sources.containsKey(symbol) && !(alone && unread.contains(dim.factors().firstKey()))) {
        sources.put(symbol, read(input, axis));
      }
    }
  }

  private Ref read(Ref array, int axis) {
    return emission.node("Shape", Map.of("start", (long) axis, "end", axis + 1L), List.of(array));
  }

  /**
   * A dimension as the file shows it: a number, an input's own name for it, an expression, or
   * nothing.
   */
  String label(Alignment.Extent extent) {
    Symbol symbol = extent.symbol();
    if (symbol == null) {
      return "";
    }
    return labels.getOrDefault(symbol, symbol.text(alignment.grid().names()));
  }

  /**
   * The label of a dimension that a runtime may rely on; nothing for what a caller may lengthen.
   */
  String known(Alignment.Extent extent) {
    Symbol symbol = extent.symbol();
    return symbol == null || symbol.mentions(unread, alignment.grid().names()) ? "" : label(extent);
  }

  /** A vector, or a single number without dimensions. */
  Ref of(Alignment.Extent[] numbers, boolean scalar, Node at) {
    if (Arrays.stream(numbers).allMatch(Alignment.Extent::constant)) {
      return emission.integers(
          scalar, Arrays.stream(numbers).mapToLong(Alignment.Extent::first).toArray());
    }
    List<Ref> parts = new ArrayList<>();
    List<Long> run = new ArrayList<>();
    for (Alignment.Extent n : numbers) {
      if (n.constant()) {
        run.add(n.first());
      } else {
        flush(run, parts);
        parts.add(vector(n, at));
      }
    }
    flush(run, parts);
    Ref whole =
        parts.size() == 1 ? parts.get(0) : emission.node("Concat", Map.of("axis", 0L), parts);
    return scalar ? emission.node("Squeeze", Map.of(), List.of(whole)) : whole;
  }

  private void flush(List<Long> run, List<Ref> parts) {
    if (!run.isEmpty()) {
      parts.add(emission.integers(false, run.stream().mapToLong(i -> i).toArray()));
      run.clear();
    }
  }

  private Ref vector(Alignment.Extent n, Node at) {
    Symbol symbol = n.symbol();
    if (symbol == null) {
      throw new ExportException(
          "a number follows the sizes in a way that is no sum of products of them\nat: "
              + at
              + "\nfound: "
              + alignment.table(n)
              + "\nfix: give the dimension a fixed size, or compute with whole sums and "
              + "products of sizes");
    }
    Ref direct = sources.get(symbol);
    return direct != null ? direct : computed(symbol, at);
  }

  private Ref computed(Symbol symbol, Node at) {
    Ref sum = null;
    for (Map.Entry<Integer, Long> term : symbol.terms().entrySet()) {
      Ref part = product(term.getKey(), term.getValue(), at);
      sum = sum == null ? part : emission.node("Add", Map.of(), List.of(sum, part));
    }
    return Objects.requireNonNull(sum);
  }

  private Ref product(int mask, long factor, Node at) {
    Ref product = null;
    List<String> names = alignment.grid().names();
    for (int i = 0; i < names.size(); i++) {
      if ((mask >> i & 1) == 1) {
        Ref size = size(1 << i, names.get(i), at);
        product = product == null ? size : emission.node("Mul", Map.of(), List.of(product, size));
      }
    }
    if (product == null) {
      return emission.integers(false, factor);
    }
    return factor == 1
        ? product
        : emission.node("Mul", Map.of(), List.of(product, emission.integers(false, factor)));
  }

  /** A named size, or what a sum that has it leaves when the other sizes are taken off. */
  private Ref size(int mask, String name, Node at) {
    Ref direct = sources.get(single(mask));
    if (direct != null) {
      return direct;
    }
    for (Map.Entry<Symbol, Ref> source : sources.entrySet()) {
      TreeMap<Integer, Long> rest = new TreeMap<>(source.getKey().terms());
      Long factor = rest.remove(mask);
      if (factor != null
          && factor == 1
          && rest.keySet().stream().allMatch(m -> m == 0 || sources.containsKey(single(m)))) {
        return emission.node(
            "Sub", Map.of(), List.of(source.getValue(), computed(new Symbol(rest), at)));
      }
    }
    throw new ExportException(
        "the size \""
            + name
            + "\" is needed, but no input has a dimension that is it\nat: "
            + at
            + "\nfix: add it to an input's dimensions");
  }

  private static Symbol single(int mask) {
    return new Symbol(new TreeMap<>(Map.of(mask, 1L)));
  }

  /** A single number in another type. */
  Ref number(Alignment.Extent n, DataType type, boolean scalar, Node at) {
    Ref whole = of(new Alignment.Extent[] {n}, scalar, at);
    return type == DataType.INT64
        ? whole
        : emission.node("Cast", Map.of("to", (long) Types.code(type)), List.of(whole));
  }
}
