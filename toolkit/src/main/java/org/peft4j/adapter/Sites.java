package org.peft4j.adapter;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SymbolBlock;
import ai.djl.nn.convolutional.Convolution;
import ai.djl.nn.convolutional.Deconvolution;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.util.Pair;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Overlay;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Site;
import org.peft4j.spi.Slotted;

/**
 * Every place of a block tree where a method could act, in the order of the tree. A tensor used
 * twice is one site, unless the model says how each use is called (tied embeddings).
 */
final class Sites {
  /** What foreign blocks call the projections of attention and of the feed-forward part. */
  private static final Map<String, Pattern> FOREIGN_ROLES = new LinkedHashMap<>();

  static {
    FOREIGN_ROLES.put("q", Pattern.compile("(?i)q|query|q_?proj|query_?(proj(ection)?)?"));
    FOREIGN_ROLES.put("k", Pattern.compile("(?i)k|key|k_?proj|key_?(proj(ection)?)?"));
    FOREIGN_ROLES.put("v", Pattern.compile("(?i)v|value|v_?proj|value_?(proj(ection)?)?"));
    FOREIGN_ROLES.put("o", Pattern.compile("(?i)o|o_?proj|out_?proj|result_?(proj(ection)?)?"));
  }

  private Sites() {}

  /** The sites of {@code root}; refuses trees whose parameters cannot be adapted. */
  static List<Site> of(Block root) {
    List<Site> sites = new ArrayList<>();
    Set<Parameter> taken = Collections.newSetFromMap(new IdentityHashMap<>());
    Paths.blocks(root)
        .forEach(
            (block, path) -> {
              if (Overlay.unwrap(block) instanceof SymbolBlock) {
                throw new IllegalArgumentException(
                    "cannot adapt a symbol block (TorchScript, ONNX)\nfound: "
                        + (path.isEmpty() ? "the model itself" : path)
                        + "\nfix: load the weights into blocks whose parameters DJL sees, for example Models.load(\"model.onnx\")");
              }
              for (Site s : at(block, path)) {
                if (s.tiedTo() != null
                    || s.frozen().parameters().stream().noneMatch(taken::contains)) {
                  taken.addAll(s.frozen().parameters());
                  sites.add(s);
                }
              }
            });
    return List.copyOf(sites);
  }

  private static List<Site> at(Block block, String path) {
    if (block instanceof Slotted slot) {
      return List.of(
          new Site(
              path, slot.kind(), slot.role(), Site.layerOf(path), slot.frozen(), slot.tiedTo()));
    }
    Map<String, Parameter> own = new LinkedHashMap<>();
    for (Pair<String, Parameter> p : block.getDirectParameters()) {
      Parameter.Type type = p.getValue().getType();
      if (type != Parameter.Type.RUNNING_MEAN && type != Parameter.Type.RUNNING_VAR) {
        if (!p.getValue().isInitialized()) {
          throw new IllegalArgumentException(
              "the block has no values yet\nfound: "
                  + path
                  + "."
                  + p.getKey()
                  + " uninitialised"
                  + "\nfix: block.initialize(manager, DataType.FLOAT32, inputShape) or load its parameters first");
        }
        own.put(p.getKey(), p.getValue());
      }
    }
    List<Site> sites = new ArrayList<>();
    Kind kind = kind(block);
    if (kind != null) {
      Parameter weight = take(own, "weight", "embedding", "gamma");
      if (weight != null) {
        Parameter bias = take(own, "bias", "beta");
        sites.add(
            new Site(
                path,
                kind,
                role(path),
                Site.layerOf(path),
                new Dense(weight, bias, Operation.UNKNOWN)));
      }
    }
    own.forEach(
        (name, p) -> {
          String full = path.isEmpty() ? name : path + "." + name;
          sites.add(
              new Site(
                  full,
                  Kind.OTHER,
                  null,
                  Site.layerOf(full),
                  new Dense(p, null, Operation.UNKNOWN)));
        });
    return sites;
  }

  private static @Nullable Kind kind(Block adapted) {
    Block block = Overlay.unwrap(adapted);
    if (block instanceof Linear) {
      return Kind.LINEAR;
    }
    if (block instanceof Convolution) {
      return Kind.CONV;
    }
    if (block instanceof ai.djl.nn.core.Embedding<?>) {
      return Kind.EMBEDDING;
    }
    if (block instanceof LayerNorm || block instanceof BatchNorm) {
      return Kind.NORM;
    }
    return block instanceof Deconvolution ? Kind.OTHER : null;
  }

  private static @Nullable Parameter take(Map<String, Parameter> own, String... names) {
    for (String name : names) {
      Parameter p = own.remove(name);
      if (p != null) {
        return p;
      }
    }
    return null;
  }

  private static @Nullable String role(String path) {
    String last = path.substring(path.lastIndexOf('.') + 1).replaceFirst("^\\d{2}", "");
    for (Map.Entry<String, Pattern> e : FOREIGN_ROLES.entrySet()) {
      if (e.getValue().matcher(last).matches()) {
        return e.getKey();
      }
    }
    return null;
  }
}
