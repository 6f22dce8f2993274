package org.peft4j.model;

import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.IdentityHashMap;
import java.util.List;
import org.peft4j.nn.Overlay;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Paths;
import org.peft4j.spi.Site;
import org.peft4j.spi.Slotted;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Keeps the weights of a model's linear maps in another storage. */
final class Quantising {
  private Quantising() {}

  /**
   * The blocks of {@code network} with the weights of their linear maps kept in {@code storage}.
   * Heads, which are few and near the loss, routers, tied tensors and everything else (such as the
   * experts that a router chooses from) stay as they are.
   *
   * @param untouched modules that stay as they are, such as a new head
   * @param owner gets what is stored
   */
  static Block to(Storage storage, Block network, List<String> untouched, Arena owner) {
    IdentityHashMap<Frozen, Frozen> weights = new IdentityHashMap<>();
    Paths.blocks(network)
        .forEach(
            (block, path) -> {
              if (block instanceof Slotted slot
                  && slot.kind() == Kind.LINEAR
                  && slot.tiedTo() == null
                  && !"head".equals(slot.role())
                  && !Site.ROUTER.equals(slot.role())
                  && untouched.stream().noneMatch(m -> path.equals(m) || path.startsWith(m + "."))
                  && slot.frozen() instanceof Dense) {
                weights.put(slot.frozen(), stored(storage, slot.frozen(), owner));
              }
            });
    return Overlay.of(network, weights);
  }

  /** The blocks of {@code network} with every quantised weight decoded, once. */
  static Block back(Storage dense, Block network, Arena owner) {
    IdentityHashMap<Frozen, Frozen> weights = new IdentityHashMap<>();
    for (Block block : Paths.blocks(network).keySet()) {
      if (isQuantised(block)) {
        Frozen frozen = ((Slotted) block).frozen();
        weights.put(frozen, stored(dense, frozen, owner));
      }
    }
    return Overlay.of(network, weights);
  }

  static boolean isQuantised(Block block) {
    return block instanceof Slotted slot && !(slot.frozen() instanceof Dense);
  }

  private static Frozen stored(Storage storage, Frozen frozen, Arena owner) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            Pass pass = Pass.of(new ParameterStore(temporary, false), false);
            return storage.store(frozen, frozen.weight(pass), owner.manager());
          }
        });
  }
}
