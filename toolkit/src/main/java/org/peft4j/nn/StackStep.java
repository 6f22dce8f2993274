package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.KeysValues;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.GatedStackStep;
import org.peft4j.tensor.HalfProduct;

/**
 * The short way through a decoder's layers, for one new token of one text where nothing is adapted
 * or trained: one call in place of dozens for each layer. It computes what the layers do.
 */
public final class StackStep {
  private final List<Part> layers;
  private @Nullable List<Parameter> parameters;

  /**
   * A layer.
   *
   * @param projections q, k, v, o, gate, up and down
   */
  public record Part(Heads heads, RmsNorm before, RmsNorm after, List<Projection> projections) {
    public Part {
      projections = List.copyOf(projections);
    }

    /** In the order of {@link GatedStackStep#WEIGHTS}. */
    private Stream<Parameter> parameters() {
      Stream<Frozen> first = projections.subList(0, 4).stream().map(Projection::frozen);
      Stream<Frozen> second = projections.subList(4, 7).stream().map(Projection::frozen);
      return Stream.of(Stream.of(before.frozen()), first, Stream.of(after.frozen()), second)
          .flatMap(s -> s)
          .map(f -> f.parameters().get(0));
    }

    private boolean usual() {
      return heads.cap() == 0
          && heads.scale() == 1 / Math.sqrt(heads.size())
          && before.epsilon() == after.epsilon()
          && projections.stream()
              .allMatch(p -> p.frozen() instanceof Dense dense && dense.biasSize() == 0);
    }
  }

  public StackStep(List<Part> layers) {
    this.layers = List.copyOf(layers);
  }

  /** None where a layer has a bias, or weights that are packed. */
  private List<Parameter> parameters() {
    if (parameters == null) {
      boolean all = layers.stream().allMatch(Part::usual);
      parameters = all ? layers.stream().flatMap(Part::parameters).toList() : List.of();
    }
    return parameters;
  }

  /** Of all matrices, or none. */
  private List<HalfProduct> halves() {
    List<HalfProduct> halves = new ArrayList<>();
    for (Part layer : layers) {
      for (Projection p : layer.projections) {
        HalfProduct half = p.frozen() instanceof Dense dense ? dense.prepacked() : null;
        if (half == null) {
          return List.of();
        }
        halves.add(half);
      }
    }
    return halves;
  }

  /**
   * What the layers make of a token.
   *
   * @param x {@code [1, 1, hidden]}
   * @param bias of the attention, null where every earlier token is seen
   * @return {@code [1, 1, hidden]}; null where the layers have to be computed one by one
   */
  public @Nullable NDArray apply(
      Pass pass, Sequence sequence, NDArray x, @Nullable NDArray bias, Rotary turns) {
    Heads heads = layers.get(0).heads;
    if (!(sequence.cache() instanceof GrowingCache cache)
        || cache.length() == 0
        || sequence.length() != 1
        || sequence.batch() != 1
        || bias != null
        || !pass.isPlain()
        || !(x instanceof PtNDArray)
        || turns.cos().getShape().get(3) != heads.size()) {
      return null;
    }
    List<NDArray> weights = parameters().stream().map(Parameter::getArray).toList();
    if (weights.isEmpty()) {
      return null;
    }
    long at = cache.length();
    List<NDArray> keys = new ArrayList<>();
    List<NDArray> values = new ArrayList<>();
    for (Part layer : layers) {
      KeysValues room = cache.room(layer.heads.at().layer());
      keys.add(room.keys());
      values.add(room.values());
    }
    int size = heads.size();
    NDArray unit = x.getManager().eye(size, size, 0, DataType.FLOAT32);
    NDArray rotation = turns.turn(unit.reshape(1, 1, (long) size * size), size);
    double epsilon = layers.get(0).before.epsilon();
    return GatedStackStep.of(
            x.reshape(x.getShape().get(2)),
            weights,
            halves(),
            keys,
            values,
            rotation.reshape(size, size),
            at,
            epsilon)
        .reshape(x.getShape());
  }
}
