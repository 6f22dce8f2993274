package org.peft4j.onnx;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * Names of a block's parameters: DJL's own ({@code 01Linear_weight}), without the number that DJL
 * puts before a child's name, unless it is what tells two children apart.
 */
final class ParameterNames {
  private final Map<String, Parameter> byName = new LinkedHashMap<>();

  private ParameterNames() {}

  /**
   * @param chosen a name for a parameter, or null for DJL's
   * @return names by the id of the parameter's array
   */
  static Map<String, String> of(
      Block block, @org.jspecify.annotations.Nullable Function<Parameter, String> chosen) {
    ParameterNames names = new ParameterNames();
    names.visit(block, "");
    Map<String, String> byArray = new LinkedHashMap<>();
    Map<String, String> owners = new HashMap<>();
    names.byName.forEach(
        (name, parameter) -> {
          if (!parameter.isInitialized()) {
            throw new ExportException(
                "the parameter \""
                    + name
                    + "\" has no values yet\nfix: initialize or load the block before it is exported");
          }
          String uid = parameter.getArray().getUid();
          String given = chosen == null ? name : chosen.apply(parameter);
          String other = byArray.putIfAbsent(uid, given) == null ? owners.put(given, name) : null;
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
    return byArray;
  }

  private void visit(Block block, String prefix) {
    for (Pair<String, Parameter> p : block.getDirectParameters()) {
      byName.put(prefix + p.getKey(), p.getValue());
    }
    Map<String, Integer> counts = new HashMap<>();
    block.getChildren().forEach(child -> counts.merge(plain(child.getKey()), 1, Integer::sum));
    for (Pair<String, Block> child : block.getChildren()) {
      String plain = plain(child.getKey());
      boolean ambiguous = counts.getOrDefault(plain, 0) > 1 || byName.containsKey(prefix + plain);
      visit(child.getValue(), prefix + (ambiguous ? child.getKey() : plain) + "_");
    }
  }

  private static String plain(String key) {
    return key.replaceFirst("^\\d\\d(?=.)", "");
  }
}
