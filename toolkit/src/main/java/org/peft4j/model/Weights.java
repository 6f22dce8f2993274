package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.peft4j.format.TensorSource;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Slotted;
import org.peft4j.tensor.Bfloat16;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;

/** Gives a tree of blocks its values, from a file or at random. */
final class Weights {
  /** Standard deviation of random first weights. */
  static final double DEVIATION = 0.02;

  private Weights() {}

  /**
   * Loads every parameter of {@code network} from {@code source}, one tensor at a time.
   *
   * @param dtype what matrices are kept as, {@link Dtype#F32} or {@link Dtype#BF16}; norms and
   *     biases are float32
   * @return names in the file that no parameter took
   * @throws IllegalArgumentException that lists every missing and every misshapen tensor
   */
  static Set<String> load(
      Block network, TensorSource source, Architecture architecture, NDManager owner, Dtype dtype) {
    String prefix = architecture.prefix() + ".";
    Set<String> unused = new LinkedHashSet<>(source.names());
    Map<String, String> inFile = new java.util.HashMap<>();
    for (String n : source.names()) {
      inFile.put(architecture.currentName(n), n);
    }
    List<String> problems = new ArrayList<>();
    Map<String, Parameter> parameters = Paths.parameters(network);
    Map<Parameter, String> found = new java.util.LinkedHashMap<>();
    parameters.forEach(
        (path, parameter) -> {
          String name = inFile.get(path);
          if (name == null) {
            name =
                inFile.get(
                    path.startsWith(prefix) ? path.substring(prefix.length()) : prefix + path);
          }
          if (name == null) {
            problems.add("missing " + path + " " + parameter.getShape());
          } else if (!source.info(name).shape().equals(stored(architecture, path, parameter))) {
            problems.add(
                path
                    + ": expected "
                    + stored(architecture, path, parameter)
                    + ", found "
                    + source.info(name).shape());
          } else {
            unused.remove(name);
            found.put(parameter, name);
          }
        });
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          source.origin() + ": the weights do not fit config.json\n" + String.join("\n", problems));
    }
    Set<Parameter> halved = dtype == Dtype.BF16 ? matrices(network) : Set.of();
    found.forEach(
        (parameter, name) -> {
          NDArray value = source.load(name, owner);
          if (value.getDataType() != DataType.FLOAT32) {
            try (NDArray other = value) {
              value = other.toType(DataType.FLOAT32, true);
            }
          }
          if (architecture.transposed(name)) {
            try (NDArray other = value) {
              value = transposed(other);
            }
          }
          if (halved.contains(parameter)) {
            try (NDArray other = value) {
              value = Bfloat16.encode(owner, other);
            }
          }
          set(parameter, value, owner);
        });
    return unused;
  }

  /** The shape that files have a parameter in. */
  private static Shape stored(Architecture architecture, String path, Parameter parameter) {
    Shape shape = parameter.getShape();
    return architecture.transposed(path) ? transposed(shape) : shape;
  }

  static Shape transposed(Shape matrix) {
    return new Shape(matrix.get(1), matrix.get(0));
  }

  /** The transposed matrix with its rows side by side in memory. */
  static NDArray transposed(NDArray matrix) {
    try (Scope scope = Scope.open()) {
      return scope.keep(matrix.transpose().reshape(-1).reshape(transposed(matrix.getShape())));
    }
  }

  /** The weights of linear maps and tables. */
  private static Set<Parameter> matrices(Block network) {
    Set<Parameter> out = Collections.newSetFromMap(new IdentityHashMap<>());
    for (Block block : Paths.blocks(network).keySet()) {
      if (block instanceof Slotted slot
          && (slot.kind() == Kind.LINEAR || slot.kind() == Kind.EMBEDDING)
          && slot.frozen() instanceof Dense dense) {
        out.add(dense.parameters().get(0));
      }
    }
    return out;
  }

  /**
   * Random first values of a new module: weights normal with deviation 0.02, biases 0, gains 1, as
   * BERT starts.
   */
  static void fill(Block module, NDManager owner, Seed seed) {
    Paths.parameters(module)
        .forEach(
            (path, p) -> {
              Shape shape = p.getShape();
              NDArray value =
                  switch (p.getType()) {
                    case BIAS, BETA -> owner.zeros(shape, DataType.FLOAT32);
                    case GAMMA -> owner.ones(shape, DataType.FLOAT32);
                    default -> seed.at(path).normal(owner, shape, DEVIATION);
                  };
              set(p, value, owner);
            });
  }

  /** Gives a parameter its value, which {@code owner} is to own. */
  static void set(Parameter parameter, NDArray value, NDManager owner) {
    NDArray owned = Scope.giveTo(owner, value);
    parameter.setInitializer(
        (m, s, t) -> owned); // the one way to give a value to a parameter that knows its shape
    parameter.initialize(owner, DataType.FLOAT32);
  }
}
