package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("fast")
class KMeansTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  /** What {@code KMeans(3, init="random", n_init=1, max_iter=10, random_state=5)} gives. */
  @Test
  void labels_are_those_of_scikit_learn() {
    float[] line = {0, 10, 1, 20.5f, 10.9f, 0.5f, 21, 10.2f, 20, 2};
    KMeans found = KMeans.of(Buffers.create(manager, line, new Shape(10, 1)), 3, 5);
    assertThat(found.labels()).containsExactly(0, 2, 0, 1, 2, 0, 1, 2, 1, 0);
    assertThat(found.tied()).isFalse();
  }

  @Test
  void rows_that_are_equally_far_apart_are_tied_and_go_to_the_first() {
    KMeans found = KMeans.of(manager.eye(6), 3, 0);
    assertThat(found.tied()).isTrue();
    assertThat(found.labels()).containsOnly(0, 1, 2);
    assertThat(found.labels().stream().filter(l -> l == 0)).hasSize(4);
  }

  @Test
  void every_row_may_be_a_cluster_and_all_may_be_one() {
    NDArray rows = Seed.of(1).normal(manager, new Shape(5, 2), 1);
    assertThat(KMeans.of(rows, 5, 0).labels()).containsExactlyInAnyOrder(0, 1, 2, 3, 4);
    assertThat(KMeans.of(rows, 1, 0).labels()).containsOnly(0);
    assertThatThrownBy(() -> KMeans.of(rows, 6, 0)).hasMessageContaining("from 1 to 5");
  }

  /** Of a matrix of rank 3, three directions are everything, tall or wide. */
  @Test
  void few_directions_by_projection_are_the_largest_ones() {
    NDArray tall = Seed.of(2).normal(manager, new Shape(20, 3), 1);
    NDArray product = tall.matMul(Seed.of(3).normal(manager, new Shape(3, 9), 1));
    for (NDArray a : new NDArray[] {product, product.transpose()}) {
      Svd svd = LowRankSvd.of(a, 3, 7);
      NDArray again = svd.u().mul(svd.s()).matMul(svd.vh());
      NDArray wide = a.toType(again.getDataType(), false);
      assertThat(again.sub(wide).abs().max().getDouble()).isLessThan(1e-5);
      double[] expected = Svd.of(wide).s().get(":3").toDoubleArray();
      assertThat(svd.s().sub(manager.create(expected)).abs().max().getDouble()).isLessThan(1e-5);
    }
    assertThatThrownBy(() -> LowRankSvd.of(product, 10, 7)).hasMessageContaining("directions");
  }
}
