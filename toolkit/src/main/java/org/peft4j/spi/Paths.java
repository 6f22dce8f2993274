package org.peft4j.spi;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Names as Hugging Face writes them for a tree of DJL blocks: child names joined by dots, without
 * the two-digit number that DJL puts in front (kept where siblings would otherwise share a name). A
 * child without a name adds no segment.
 */
public final class Paths {
  private Paths() {}

  /**
   * Every block of the tree by path, parents first; the root's path is empty. A block met twice
   * keeps its first path.
   */
  public static Map<Block, String> blocks(Block root) {
    Map<Block, String> out = new LinkedHashMap<>();
    IdentityHashMap<Block, Boolean> seen = new IdentityHashMap<>();
    walk(root, "", out, seen);
    return out;
  }

  /**
   * Every parameter of the tree by path, such as {@code
   * encoder.layer.0.attention.self.query.weight}; shared ones once.
   */
  public static Map<String, Parameter> parameters(Block root) {
    Map<String, Parameter> out = new LinkedHashMap<>();
    Set<String> ids = new HashSet<>();
    blocks(root)
        .forEach(
            (block, path) -> {
              for (Pair<String, Parameter> p : block.getDirectParameters()) {
                if (ids.add(p.getValue().getId())) {
                  out.put(join(path, p.getKey()), p.getValue());
                }
              }
            });
    return out;
  }

  private static void walk(
      Block block, String path, Map<Block, String> out, IdentityHashMap<Block, Boolean> seen) {
    if (seen.put(block, true) != null) {
      return;
    }
    out.put(block, path);
    List<Pair<String, Block>> children = new ArrayList<>();
    block.getChildren().forEach(children::add);
    List<String> names = new ArrayList<>();
    for (int i = 0; i < children.size(); i++) {
      String raw = children.get(i).getKey();
      String number = String.format(Locale.ROOT, "%02d", i + 1);
      names.add(raw.startsWith(number) ? raw.substring(number.length()) : raw);
    }
    boolean distinct =
        names.stream().filter(n -> !n.isEmpty()).distinct().count()
            == names.stream().filter(n -> !n.isEmpty()).count();
    for (int i = 0; i < children.size(); i++) {
      walk(
          children.get(i).getValue(),
          join(path, distinct ? names.get(i) : children.get(i).getKey()),
          out,
          seen);
    }
  }

  private static String join(String path, String name) {
    return path.isEmpty() ? name : name.isEmpty() ? path : path + "." + name;
  }
}
