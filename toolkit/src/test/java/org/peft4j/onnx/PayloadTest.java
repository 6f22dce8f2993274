package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Torch;

/** Stored tensors that are not kept as they are written. */
@Tag("fast")
class PayloadTest {
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  private static byte[] bytes(Payload payload) {
    ByteBuffer all = ByteBuffer.allocate((int) payload.size());
    payload.forEachChunk(all::put);
    assertThat(all.hasRemaining()).isFalse();
    return all.array();
  }

  @Test
  void a_matrix_is_transposed_wherever_its_bytes_come_from() {
    NDArray x = manager.arange(5 * 3f).reshape(5, 3);
    byte[] expected = bytes(Payload.of(x.transpose()));
    Initializer ofArray = Initializer.of("x", x).transposed();
    Initializer ofBytes =
        Initializer.of("x", DataType.FLOAT32, x.getShape(), bytes(Payload.of(x))).transposed();
    for (Initializer turned : new Initializer[] {ofArray, ofBytes}) {
      assertThat(turned.shape()).isEqualTo(new Shape(3, 5));
      assertThat(bytes(turned.payload())).isEqualTo(expected);
      assertThat(bytes(turned.transposed().payload())).isEqualTo(bytes(Payload.of(x)));
    }
    byte[] pieces = bytes(Payload.of(x, 8).transposed(x.getShape()));
    assertThat(pieces).isEqualTo(expected);
    assertThat(bytes(new Transposed(Payload.of(x, 8), x.getShape()))).isEqualTo(expected);
  }

  @Test
  void content_is_asked_for_only_when_it_is_written() {
    int[] asked = {0};
    Payload counted =
        new Payload() {
          @Override
          public long size() {
            return 3;
          }

          @Override
          public <E extends Exception> void forEachChunk(Sink<E> sink) throws E {
            asked[0]++;
            sink.take(ByteBuffer.wrap(new byte[] {1, 2, 3}));
          }
        };
    Initializer made = Initializer.of("made", DataType.UINT8, new Shape(3), counted);
    assertThat(made.size()).isEqualTo(3);
    assertThat(asked[0]).isZero();
    assertThat(bytes(made.payload())).containsExactly(1, 2, 3);
    assertThat(asked[0]).isEqualTo(1);
    assertThatThrownBy(() -> Initializer.of("made", DataType.UINT8, new Shape(4), counted))
        .hasMessageContaining("4 bytes");
    assertThatThrownBy(made::transposed).hasMessageContaining("dimension");
  }
}
