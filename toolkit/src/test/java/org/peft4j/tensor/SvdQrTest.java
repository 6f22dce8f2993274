package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("fast")
class SvdQrTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  @ParameterizedTest
  @CsvSource({"6, 4", "4, 6", "5, 5", "1, 3", "3, 1", "40, 17"})
  void svd_of_lapack_and_of_the_definition_agree(long m, long n) {
    NDArray a =
        Seed.of(3)
            .at(m * 100 + n)
            .normal(manager, new Shape(m, n), 1)
            .toType(DataType.FLOAT64, false);
    Svd lapack = Svd.of(a);
    Svd plain = Svd.plain(a);
    assertThat(maxAbs(lapack.s().sub(plain.s()))).isLessThan(1e-12);
    for (Svd svd : new Svd[] {lapack, plain}) {
      NDArray again = svd.u().matMul(svd.s().expandDims(1).mul(svd.vh()));
      assertThat(maxAbs(again.sub(a))).isLessThan(1e-12);
      long k = Math.min(m, n);
      assertThat(maxAbs(svd.u().transpose().matMul(svd.u()).sub(manager.eye((int) k))))
          .isLessThan(1e-6);
      assertThat(maxAbs(svd.vh().matMul(svd.vh().transpose()).sub(manager.eye((int) k))))
          .isLessThan(1e-6);
    }
    NDArray product = lapack.u().get(":, 0:1").matMul(lapack.vh().get("0:1"));
    NDArray definition = plain.u().get(":, 0:1").matMul(plain.vh().get("0:1"));
    assertThat(maxAbs(product.sub(definition)))
        .as("the first direction, free of its sign")
        .isLessThan(1e-10);
  }

  @ParameterizedTest
  @CsvSource({"6, 4", "4, 6", "5, 5", "1, 3", "3, 1", "33, 20"})
  void qr_of_lapack_and_of_the_definition_agree_signs_included(long m, long n) {
    NDArray a =
        Seed.of(5)
            .at(m * 100 + n)
            .normal(manager, new Shape(m, n), 1)
            .toType(DataType.FLOAT64, false);
    Qr lapack = Qr.of(a);
    Qr plain = Qr.plain(a);
    assertThat(maxAbs(lapack.q().sub(plain.q()))).isLessThan(1e-12);
    assertThat(maxAbs(lapack.r().sub(plain.r()))).isLessThan(1e-12);
    assertThat(maxAbs(lapack.q().matMul(lapack.r()).sub(a))).isLessThan(1e-12);
  }

  @ParameterizedTest
  @CsvSource({"1", "5", "23"})
  void eigenvalues_of_lapack_and_of_the_definition_agree(long n) {
    NDArray a =
        Seed.of(7).at(n).normal(manager, new Shape(2 * n, n), 1).toType(DataType.FLOAT64, false);
    NDArray symmetric = a.transpose().matMul(a);
    Eigen lapack = Eigen.of(symmetric);
    Eigen plain = Eigen.plain(symmetric);
    assertThat(maxAbs(lapack.values().sub(plain.values()))).isLessThan(1e-10);
    for (Eigen eigen : new Eigen[] {lapack, plain}) {
      NDArray turned = symmetric.matMul(eigen.vectors());
      assertThat(maxAbs(turned.sub(eigen.vectors().mul(eigen.values())))).isLessThan(1e-10);
    }
  }

  @Test
  void only_matrices_are_decomposed() {
    NDArray cube = manager.ones(new Shape(2, 2, 2));
    assertThatThrownBy(() -> Svd.of(cube)).hasMessageContaining("(2, 2, 2)");
    assertThatThrownBy(() -> Qr.of(cube)).hasMessageContaining("(2, 2, 2)");
  }

  private static double maxAbs(NDArray a) {
    return a.toType(DataType.FLOAT64, false).abs().max().getDouble();
  }
}
