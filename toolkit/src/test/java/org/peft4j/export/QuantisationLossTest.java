package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The report of what weights lose. */
@Tag("fast")
class QuantisationLossTest {
  private static QuantisationLoss.Tensor tensor(String name, double error) {
    return new QuantisationLoss.Tensor(
        name, new Shape(2, 2), "int4/32", error, 2, 4 * error * error, 16, 16_000_000, 2_500_000);
  }

  @Test
  void is_relative_to_the_weights() {
    QuantisationLoss.Tensor t = tensor("a", 0.1);
    assertThat(t.relative()).isEqualTo(0.1 / 2);
    assertThat(t.rootMeanSquare()).isEqualTo(Math.sqrt(4 * 0.1 * 0.1 / 16));
    QuantisationLoss loss = new QuantisationLoss(List.of(t, tensor("b", 0.3)));
    assertThat(loss.relative()).isEqualTo(0.3 / 2);
    assertThat(loss.rootMeanSquare()).isEqualTo(Math.sqrt((4 * 0.01 + 4 * 0.3 * 0.3) / 32));
  }

  @Test
  void prints_the_worst_first_and_never_a_page() {
    QuantisationLoss loss =
        new QuantisationLoss(
            IntStream.range(0, 200).mapToObj(i -> tensor("layer." + i, i / 1000.0)).toList());
    List<String> lines = loss.toString().lines().toList();
    assertThat(lines).hasSizeLessThan(15);
    assertThat(lines.get(1)).startsWith("layer.199").contains("9.95 %", "16.0 -> 2.5");
    assertThat(lines.get(lines.size() - 2)).contains("192 that lose less");
    assertThat(lines.get(lines.size() - 1)).startsWith("total").contains("200 of them");
    assertThat(new QuantisationLoss(List.of()).toString()).contains("no weight");
    assertThat(new QuantisationLoss(List.of()).relative()).isZero();
  }
}
