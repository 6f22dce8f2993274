package org.peft4j.adapter;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.Full;
import org.peft4j.reparam.Lora;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Sensitivity;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * Mean gradients of a loss by the weights of a model's linear layers, for starts that come from
 * them ({@code LoraInit.loraGa}). The model stays as it is.
 */
public final class Gradients implements Sensitivity, AutoCloseable {
  private final Arena arena = new Arena();
  private final Arena.Hold hold = arena.heldBy(this);
  private final Map<String, NDArray> gradients = new LinkedHashMap<>();
  private final int passes;

  private Gradients(int passes) {
    if (passes < 1) {
      throw new IllegalArgumentException("gradients\nexpected: some data\nfound: none");
    }
    this.passes = passes;
  }

  /** The loss of one batch. */
  public interface Loss {
    /** A scalar: what {@code model}, run with {@code store}, loses on batch {@code number}. */
    NDArray of(Block model, ParameterStore store, NDManager manager, int number);
  }

  /**
   * The mean gradients of {@code passes} losses, without dropout.
   *
   * @param targets by which layers' weights, in the words of {@code targets}; none for the usual
   *     ones
   */
  public static Gradients of(Block model, List<String> targets, int passes, Loss loss) {
    Block base = model instanceof PeftModel p ? p.base() : model;
    Pretrained pretrained = Pretrained.of(base);
    Gradients out = new Gradients(passes);
    try (PeftModel whole = new PeftModel(base, pretrained.usualTargets(), List.of())) {
      List<String> paths =
          whole.blueprint().match(new Lora(), Placement.DEFAULT.withTargets(targets)).stream()
              .filter(s -> s.kind() == Kind.LINEAR)
              .map(Site::path)
              .toList();
      whole.add(PeftModel.DEFAULT, new Full(), Placement.DEFAULT.withTargets(paths), 0);
      for (int i = 0; i < passes; i++) {
        backward(whole, loss, i);
      }
      Torch.inference(
          () -> {
            whole.trainable().forEach(out::keep);
            return out;
          });
    }
    return out;
  }

  private static void backward(PeftModel whole, Loss loss, int number) {
    try (Scope scope = Scope.open();
        NDManager manager = Torch.newManager();
        GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      ParameterStore store = new ParameterStore(manager, false);
      collector.backward(loss.of(whole, store, manager, number));
    }
  }

  private void keep(String name, Parameter weight) {
    try (Scope scope = Scope.open()) {
      NDArray mean = Scalars.div(weight.getArray().getGradient(), passes);
      String path = name.substring(name.indexOf(':') + 1).replaceFirst("\\.weight$", "");
      gradients.put(path, Scope.giveTo(arena.manager(), Buffers.copyOf(arena.manager(), mean)));
    }
  }

  @Override
  public NDArray at(Site site) {
    if (!arena.isOpen()) {
      throw new IllegalStateException("the gradients were closed");
    }
    NDArray gradient = gradients.get(site.path());
    if (gradient == null || !gradient.getShape().equals(site.shape())) {
      throw new IllegalArgumentException(
          "gradients: nothing is known of the weight of "
              + site.path()
              + "\nfound: "
              + gradients.keySet()
              + "\nfix: make them on this model, with the same targets");
    }
    return gradient;
  }

  /** {@code 12 layers, 4 batches}. */
  @Override
  public String toString() {
    return "%,d layers, %,d batches".formatted(gradients.size(), passes);
  }

  /** Frees the gradients. Adapters that were made from them stay. */
  @Override
  public void close() {
    hold.close();
  }
}
