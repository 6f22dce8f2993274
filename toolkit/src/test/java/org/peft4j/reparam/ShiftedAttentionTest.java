package org.peft4j.reparam;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.spi.Attending;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** Shifted sparse attention against its definition, written out token by token. */
@Tag("fast")
class ShiftedAttentionTest {
  private static final int BATCH = 2;
  private static final int HEADS = 3;
  private static final int SIZE = 2;
  private static final double SCALE = 0.7;

  /** Who may look at whom before groups cut it: causality and padding, or neither. */
  private record Sight(boolean causal, List<Integer> lengths) {
    boolean padding(int text, int key) {
      return key >= lengths.get(text);
    }

    /** As a model gives it. */
    @Nullable NDArray bias(NDManager manager, int tokens) {
      boolean padded = lengths.stream().anyMatch(n -> n < tokens);
      if (!causal && !padded) {
        return null;
      }
      int texts = padded ? BATCH : 1;
      int rows = causal ? tokens : 1;
      double[] hidden = new double[texts * rows * tokens];
      for (int b = 0; b < texts; b++) {
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < tokens; j++) {
            boolean unseen = padding(b, j) || (causal && j > i);
            hidden[(b * rows + i) * tokens + j] = unseen ? -Float.MAX_VALUE : 0;
          }
        }
      }
      return Buffers.create(manager, hidden, new Shape(texts, 1, rows, tokens));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "8, 4, true, 8, 8", // two groups, as the paper has them
    "12, 4, true, 12, 9", // padding on the right
    "12, 4, false, 12, 7",
    "8, 2, false, 8, 8", // nothing hidden at all
    "10, 4, true, 10, 6", // no multiple of the group
    "9, 4, false, 9, 9",
    "11, 3, true, 11, 11" // an odd group
  })
  void equals_the_loops(int tokens, int group, boolean causal, int first, int second) {
    Sight sight = new Sight(causal, List.of(first, second));
    try (NDManager manager = Torch.newManager();
        Scope scope = Scope.open()) {
      Attending a = attending(manager, tokens, sight);
      double[] actual = ShiftedAttention.of(a, group).toDoubleArray();
      double[] expected = loops(a, tokens, group, sight);
      for (int i = 0; i < expected.length; i++) {
        if (!Double.isNaN(expected[i])) {
          assertThat(actual[i]).isCloseTo(expected[i], org.assertj.core.data.Offset.offset(1e-12));
        }
      }
    }
  }

  @Test
  void the_first_tokens_see_the_end_in_shifted_heads_as_in_the_paper() {
    try (NDManager manager = Torch.newManager();
        Scope scope = Scope.open()) {
      Attending a = attending(manager, 8, new Sight(true, List.of(8, 8)));
      NDArray changed = a.v().duplicate();
      changed.get(":, :, 7:").addi(1);
      Attending other = new Attending(a.q(), a.k(), changed, a.bias(), a.scale(), null);
      NDArray moved =
          ShiftedAttention.of(a, 4).sub(ShiftedAttention.of(other, 4)).abs().sum(new int[] {0, 3});
      double[] byHeadAndToken = moved.toDoubleArray();
      for (int h = 0; h < HEADS; h++) {
        for (int t = 0; t < 8; t++) {
          boolean sees = t == 7 || (h > 0 && t < 2);
          assertThat(byHeadAndToken[h * 8 + t] > 1e-6)
              .as("head %d, token %d", h, t)
              .isEqualTo(sees);
        }
      }
    }
  }

  @Test
  void padding_changes_nothing_at_tokens() {
    try (NDManager manager = Torch.newManager();
        Scope scope = Scope.open()) {
      Attending whole = attending(manager, 16, new Sight(true, List.of(10, 10)));
      NDArray longer = ShiftedAttention.of(whole, 4);
      Attending cut =
          new Attending(
              whole.q().get(":, :, :10"),
              whole.k().get(":, :, :10"),
              whole.v().get(":, :, :10"),
              new Sight(true, List.of(10, 10)).bias(manager, 10),
              SCALE,
              null);
      NDArray shorter = ShiftedAttention.of(cut, 4);
      assertThat(longer.get(":, :, :10").sub(shorter).abs().max().getDouble()).isLessThan(1e-12);
    }
  }

  @Test
  void dropout_sees_every_weight_once() {
    try (NDManager manager = Torch.newManager();
        Scope scope = Scope.open()) {
      Attending a = attending(manager, 10, new Sight(true, List.of(10, 6)));
      List<Shape> seen = new ArrayList<>();
      Attending dropping =
          new Attending(
              a.q(),
              a.k(),
              a.v(),
              a.bias(),
              a.scale(),
              w -> {
                seen.add(w.getShape());
                return w.mul(2);
              });
      NDArray twice = ShiftedAttention.of(dropping, 4);
      NDArray once = ShiftedAttention.of(a, 4);
      assertThat(twice.sub(once.mul(2)).abs().max().getDouble()).isLessThan(1e-12);
      // 3 groups of 4 in each of 2 texts: 288 weights instead of 600
      assertThat(seen).containsExactly(new Shape(6, HEADS, 4, 4));
    }
  }

  @Test
  void gradients_equal_finite_differences() {
    try (NDManager manager = Torch.newManager();
        Scope scope = Scope.open()) {
      Attending a = attending(manager, 10, new Sight(true, List.of(10, 8)));
      NDArray weights = random(manager, "weights", 10);
      weights.set(new NDIndex("1, :, 8:"), 0); // rows of padding, which may see nothing
      List<NDArray> inputs = List.of(a.q(), a.k(), a.v());
      inputs.forEach(x -> x.setRequiresGradient(true));
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        collector.backward(ShiftedAttention.of(a, 4).mul(weights).sum());
      }
      List<NDArray> gradients = inputs.stream().map(x -> x.getGradient().duplicate()).toList();
      inputs.forEach(x -> x.setRequiresGradient(false));
      double h = 1e-5;
      for (int i = 0; i < 3; i++) {
        NDArray x = inputs.get(i);
        NDArray direction = random(manager, "direction" + i, 10);
        x.addi(direction.mul(h));
        double up = ShiftedAttention.of(a, 4).mul(weights).sum().getDouble();
        x.subi(direction.mul(2 * h));
        double down = ShiftedAttention.of(a, 4).mul(weights).sum().getDouble();
        x.addi(direction.mul(h));
        double expected = (up - down) / (2 * h);
        double actual = gradients.get(i).mul(direction).sum().getDouble();
        assertThat(Math.abs(actual - expected)).isLessThan(1e-7 * (1 + Math.abs(expected)));
      }
    }
  }

  private static NDArray random(NDManager manager, String name, int tokens) {
    return Seed.of(4)
        .at(name)
        .normal(manager, new Shape(BATCH, HEADS, tokens, SIZE), 1)
        .toType(DataType.FLOAT64, false);
  }

  private static Attending attending(NDManager manager, int tokens, Sight sight) {
    return new Attending(
        random(manager, "q", tokens),
        random(manager, "k", tokens),
        random(manager, "v", tokens),
        sight.bias(manager, tokens),
        SCALE,
        null);
  }

  /** {@code [batch, heads, tokens, size]}; NaN where a row sees nothing. */
  private static double[] loops(Attending a, int tokens, int group, Sight sight) {
    double[] q = a.q().toDoubleArray();
    double[] k = a.k().toDoubleArray();
    double[] v = a.v().toDoubleArray();
    double[] out = new double[q.length];
    int slots = (tokens + group - 1) / group * group;
    for (int b = 0; b < BATCH; b++) {
      for (int head = 0; head < HEADS; head++) {
        int shift = head < HEADS / 2 ? 0 : group / 2;
        int start = (b * HEADS + head) * tokens;
        for (int i = 0; i < slots; i++) {
          int row = (i + shift) % slots;
          if (row >= tokens) {
            continue;
          }
          double sum = 0;
          double[] y = new double[SIZE];
          for (int j = i / group * group; j < (i / group + 1) * group; j++) {
            int key = (j + shift) % slots;
            if (key >= tokens || sight.padding(b, key) || (sight.causal && j > i)) {
              continue;
            }
            double dot = 0;
            for (int d = 0; d < SIZE; d++) {
              dot += q[(start + row) * SIZE + d] * k[(start + key) * SIZE + d];
            }
            double weight = Math.exp(SCALE * dot);
            sum += weight;
            for (int d = 0; d < SIZE; d++) {
              y[d] += weight * v[(start + key) * SIZE + d];
            }
          }
          for (int d = 0; d < SIZE; d++) {
            out[(start + row) * SIZE + d] = sum == 0 ? Double.NaN : y[d] / sum;
          }
        }
      }
    }
    return out;
  }
}
