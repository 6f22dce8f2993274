package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A stack of layers like the model's, but smaller, whose tensors are a hook's: what Hugging Face
 * PEFT calls a mirrored backbone. Tensors have the names that files of the architecture give them
 * inside of its body, such as {@code layers.0.self_attn.q_proj.weight}.
 */
public interface Mirror {
  /**
   * How large.
   *
   * @param layers number of layers, at least 1
   * @param hidden width of its hidden states; 0 for the model's
   * @param heads number of query heads; 0 for the model's
   * @param inner width of its feed-forward parts; 0 for the model's
   */
  record Size(int layers, int hidden, int heads, int inner) {}

  /** Makes mirrors of one model. */
  @FunctionalInterface
  interface Maker {
    /** The mirror of that size; the same one each time. */
    Mirror of(Size size);

    /** Whether the model tells texts apart, so that a mirror may have a classifier of its own. */
    default boolean classifiesTexts() {
      return false;
    }
  }

  /** Where a model of its own that is made of a mirror has its values from. */
  interface Values {
    /** A tensor of the mirror by name; null for its token embeddings where the model's serve. */
    @Nullable NDArray ofMirror(String tensor);

    /** The weight or bias of a module of the model by its path; null where there is none. */
    @Nullable NDArray ofModel(String path);

    /** From the mirror's states to the model's, {@code [hidden, its hidden]}; null if as wide. */
    @Nullable NDArray projection();
  }

  /** Width of its hidden states. */
  int hidden();

  /** Shapes of its tensors by name, its table of token embeddings among them. */
  Map<String, Shape> tensors();

  /** Name of its table of token embeddings. */
  String embeddings();

  /** How a tensor begins. */
  Init init(String tensor);

  /** Whether files have this tensor as {@code [in, out]}. */
  boolean isTransposed(String tensor);

  /** Whether files may have a tensor of this name, which no hidden state depends on. */
  boolean isSpare(String tensor);

  /**
   * Its last hidden states {@code [batch, length, hidden]} for the new tokens of {@code context},
   * with a cache of its own where there is one.
   *
   * @param theta its tensors by name; null for its token embeddings where those of {@code model}
   *     serve
   */
  NDArray encode(
      Anatomy model, Pass pass, Function<String, @Nullable NDArray> theta, Context context);
}
