package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Who owns an array, and what survives whom. */
@Tag("fast")
class MemoryTest {
  @Test
  void a_scope_frees_what_was_made_in_it_but_not_what_it_keeps() {
    try (NDManager weights = Torch.newManager()) {
      NDArray w = weights.ones(new Shape(3));
      NDArray kept;
      NDArray lost;
      try (Scope outer = Scope.open()) {
        try (Scope inner = Scope.open()) {
          lost = w.add(1); // attached to the weight's manager: would leak without the scope
          kept = inner.keep(w.add(2));
        }
        assertThat(lost.isReleased()).isTrue();
        assertThat(kept.isReleased()).isFalse();
        assertThat(kept.toFloatArray()).containsOnly(3);
      }
      assertThat(kept.isReleased()).as("belongs to the enclosing scope").isTrue();
      assertThat(w.isReleased()).as("made before").isFalse();
    }
  }

  @Test
  void what_is_given_to_an_owner_outlives_every_scope() {
    try (NDManager owner = Torch.newManager()) {
      NDArray given;
      try (Scope scope = Scope.open();
          NDManager temporary = Torch.newManager()) {
        given = Scope.giveTo(owner, temporary.ones(new Shape(2)));
      }
      assertThat(given.toFloatArray()).containsOnly(1);
    }
  }

  @Test
  void an_arena_lives_as_long_as_its_last_holder() {
    Arena arena = new Arena();
    NDArray a = arena.manager().ones(new Shape(2));
    Object first = new Object();
    Object second = new Object();
    Arena.Hold one = arena.heldBy(first);
    Arena.Hold two = arena.heldBy(second);
    one.close();
    one.close();
    assertThat(a.isReleased()).isFalse();
    two.close();
    assertThat(a.isReleased()).isTrue();
    assertThat(arena.isOpen()).isFalse();
    assertThatThrownBy(() -> arena.heldBy(first))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  @Test
  @SuppressWarnings("UnusedVariable")
  void an_arena_is_freed_when_its_holder_is_collected() throws Exception {
    Arena arena = new Arena();
    NDArray a = arena.manager().ones(new Shape(2));
    Object holder = new Object();
    Arena.Hold hold = arena.heldBy(holder);
    holder = null;
    for (int i = 0; i < 100 && !a.isReleased(); i++) {
      System.gc();
      Thread.sleep(20);
    }
    assertThat(a.isReleased()).isTrue();
  }

  /**
   * DJL's own {@code x.mul(number)} fails this: the number's memory is gone when the backward pass
   * reads it.
   */
  @Test
  void gradients_of_scaled_values_survive_a_garbage_collection() {
    try (NDManager manager = Torch.newManager()) {
      NDArray x = manager.ones(new Shape(4));
      x.setRequiresGradient(true);
      for (int round = 0; round < 20; round++) {
        try (Scope scope = Scope.open();
            GradientCollector collector = Engine.getInstance().newGradientCollector()) {
          NDArray y = Scalars.div(Scalars.mul(x, 0.5), 4).sum();
          System.gc();
          for (int i = 0; i < 2000; i++) {
            ByteBuffer.allocateDirect(8).putLong(0, 0x4141414141414141L);
          }
          collector.backward(y);
        }
        assertThat(x.getGradient().toFloatArray()).as("round " + round).containsOnly(0.125f);
        x.getGradient().muli(0);
      }
    }
  }

  @Test
  void buffers_own_their_memory_and_copies_are_contiguous() throws Exception {
    try (NDManager manager = Torch.newManager()) {
      NDArray a = Buffers.create(manager, new float[] {1, 2, 3, 4, 5, 6}, new Shape(2, 3));
      NDArray view = a.transpose();
      NDArray copy = Buffers.copyOf(manager, view);
      a.close();
      System.gc();
      Thread.sleep(20);
      assertThat(view.toFloatArray()).containsExactly(1, 4, 2, 5, 3, 6);
      Buffers.copy(manager.zeros(new Shape(3, 2)), copy);
      assertThat(copy.toFloatArray()).as("written in place, so it was contiguous").containsOnly(0);
      assertThatThrownBy(() -> Buffers.copy(manager.zeros(new Shape(2, 3)), copy))
          .hasMessageContaining("(3, 2)");
      assertThatThrownBy(() -> Buffers.create(manager, new float[3], new Shape(4)))
          .hasMessageContaining("3 values");
      assertThatThrownBy(() -> Buffers.create(manager, new Shape(1), DataType.BFLOAT16, b -> {}))
          .hasMessageContaining("bfloat16");
    }
  }
}
