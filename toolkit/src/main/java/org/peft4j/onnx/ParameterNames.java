package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Names of a block's parameters: DJL's own ({@code 01Linear_weight}), without the number that DJL
 * puts before a child's name, unless it is what tells two children apart.
 */
final class ParameterNames {
  private final @Nullable Function<Parameter, String> chosen;
  private final Map<String, String> byArray = new HashMap<>();

  /**
   * @param chosen a name for a parameter, or null for DJL's
   */
  ParameterNames(Block block, @Nullable Function<Parameter, String> chosen) {
    this.chosen = chosen;
    Map<String, Parameter> parameters = new LinkedHashMap<>();
    visit(block, "", parameters);
    Map<String, String> owners = new HashMap<>();
    parameters.forEach(
        (name, parameter) -> {
          if (!parameter.isInitialized()) {
            throw new ExportException(
                "the parameter \""
                    + name
                    + "\" has no values yet\nfix: initialize or load the block before it is "
                    + "exported");
          }
          String given = chosen == null ? name : chosen.apply(parameter);
          boolean first = byArray.putIfAbsent(parameter.getArray().getUid(), given) == null;
          String other = first ? owners.put(given, name) : null;
          if (other != null) {
            throw new ExportException(
                "two parameters would be called \""
                    + given
                    + "\"\nfound: "
                    + other
                    + " and "
                    + name
                    + "\nfix: name them apart");
          }
        });
  }

  /** The name of one of the block's parameters by its array, else null. */
  @Nullable String name(NDArray array) {
    return byArray.get(array.getUid());
  }

  /** The name of a parameter that need not be the block's, as of a model that an adapter wraps. */
  String name(Parameter parameter) {
    String known = name(parameter.getArray());
    return known != null ? known : chosen != null ? chosen.apply(parameter) : parameter.getName();
  }

  private static void visit(Block block, String prefix, Map<String, Parameter> found) {
    for (Pair<String, Parameter> p : block.getDirectParameters()) {
      found.put(prefix + p.getKey(), p.getValue());
    }
    Map<String, Integer> counts = new HashMap<>();
    block.getChildren().forEach(child -> counts.merge(plain(child.getKey()), 1, Integer::sum));
    for (Pair<String, Block> child : block.getChildren()) {
      String plain = plain(child.getKey());
      boolean ambiguous = counts.getOrDefault(plain, 0) > 1 || found.containsKey(prefix + plain);
      visit(child.getValue(), prefix + (ambiguous ? child.getKey() : plain) + "_", found);
    }
  }

  private static String plain(String key) {
    return key.replaceFirst("^\\d\\d(?=.)", "");
  }
}
