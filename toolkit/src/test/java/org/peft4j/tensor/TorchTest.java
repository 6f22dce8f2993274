package org.peft4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("fast")
class TorchTest {
  @Test
  void platforms_are_named_as_the_native_artifacts_are() {
    assertThat(Torch.platform("Linux", "amd64")).isEqualTo("linux-x86_64");
    assertThat(Torch.platform("Mac OS X", "aarch64")).isEqualTo("osx-aarch64");
    assertThat(Torch.platform("Windows 11", "amd64")).isEqualTo("win-x86_64");
  }

  @Test
  void an_unsupported_platform_and_a_missing_library_say_what_to_do() {
    assertThat(Torch.nativesProblem("sunos-sparcv9", List.of(), false))
        .contains("sunos-sparcv9", "linux-x86_64", "PYTORCH_LIBRARY_PATH");
    assertThat(Torch.nativesProblem("linux-aarch64", List.of("linux-x86_64"), false))
        .contains(
            "not on the class path", "[linux-x86_64]", "pytorch-native-cpu:2.7.1:linux-aarch64");
    assertThat(Torch.nativesProblem("linux-aarch64", List.of("linux-aarch64"), false)).isNull();
    assertThat(Torch.nativesProblem("sunos-sparcv9", List.of(), true)).isNull();
  }

  @Test
  void inference_leaves_the_gradient_mode_as_it_was() {
    Torch.start();
    boolean before = JniUtils.isGradMode();
    try {
      JniUtils.setGradMode(true);
      Torch.inference(
          () -> {
            assertThat(JniUtils.isGradMode()).isFalse();
            return 1;
          });
      assertThat(JniUtils.isGradMode()).isTrue();
      assertThatThrownBy(
              () ->
                  Torch.inference(
                      () -> {
                        throw new IllegalStateException("x");
                      }))
          .hasMessage("x");
      assertThat(JniUtils.isGradMode()).isTrue();
    } finally {
      JniUtils.setGradMode(before);
    }
  }

  @Test
  void threads_are_checked_and_set() {
    int before = Torch.threads();
    assertThatThrownBy(() -> Torch.threads(0)).hasMessageContaining("at least 1");
    Torch.threads(1);
    assertThat(Torch.threads()).isEqualTo(1);
    Torch.threads(before);
    try (NDManager m = Torch.newManager()) {
      assertThat(m.ones(new Shape(2)).sum().getFloat()).isEqualTo(2);
    }
  }
}
