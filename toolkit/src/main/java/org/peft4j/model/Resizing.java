package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.nio.FloatBuffer;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Paths;
import org.peft4j.tensor.Arena;
import org.peft4j.tensor.Buffers;

/**
 * A model with another number of token embeddings. Whatever has one row per token (the embeddings,
 * a head of its own, that head's bias) keeps its first rows; further ones are the mean of all old
 * rows, which is what transformers draws them around. Everything else is shared.
 */
final class Resizing {
  private final Network from;
  private final Architecture architecture;
  private final Config config;
  private final int tokens;
  private final long before;

  Resizing(Network from, Architecture architecture, Config config, int tokens) {
    this.from = from;
    this.architecture = architecture;
    this.config = config.with("vocab_size", (long) tokens);
    this.tokens = tokens;
    this.before = from.body().embeddings().shape().get(0);
  }

  /** The configuration with the new size. */
  Config config() {
    return config;
  }

  /** The new network; what it does not share lies in {@code own}. */
  Network network(Arena own) {
    Body body = body();
    Network to = new Network(body, head(body), architecture);
    Map<String, Parameter> old = Paths.parameters(from);
    Paths.parameters(to)
        .forEach(
            (path, p) -> {
              Parameter source = old.get(path);
              if (source == null) {
                throw new IllegalStateException("resizing: no tensor " + path);
              }
              if (p.isInitialized()) {
                return; // of a head that both models share
              }
              NDArray value = source.getArray();
              Shape shape = value.getShape();
              NDArray fit = shape.equals(p.getShape()) ? value : resized(value, own);
              p.setInitializer((m, s, t) -> fit);
              p.initialize(own.manager(), DataType.FLOAT32);
            });
    return to;
  }

  /** With the same modules, the architecture's own pooling layer included where it is there. */
  private Body body() {
    Body plain = architecture.body(config, false);
    return names(plain).equals(names(from.body())) ? plain : architecture.body(config, true);
  }

  private static Set<String> names(Block block) {
    return Paths.parameters(block).keySet();
  }

  private @Nullable Head head(Body body) {
    Head head = from.head();
    if (head instanceof Seq2SeqHead own) {
      return own.on(body, tokens);
    }
    return head instanceof CausalHead
        ? new CausalHead(body, tokens, Loader.tied(config, architecture))
        : head;
  }

  private NDArray resized(NDArray value, Arena own) {
    Shape old = value.getShape();
    int width = (int) (old.size() / before);
    Shape shape = new Shape(tokens).addAll(old.slice(1));
    FloatBuffer rows = Buffers.view(value).asFloatBuffer();
    int kept = (int) Math.min(before, tokens) * width;
    return Buffers.create(
        own.manager(),
        shape,
        DataType.FLOAT32,
        bytes -> {
          FloatBuffer out = bytes.asFloatBuffer();
          out.put(rows.slice(0, kept));
          if (out.hasRemaining()) {
            float[] mean = mean(rows, width);
            while (out.hasRemaining()) {
              out.put(mean);
            }
          }
        });
  }

  private static float[] mean(FloatBuffer rows, int width) {
    double[] sum = new double[width];
    int n = rows.capacity() / width;
    for (int i = 0; i < n * width; i++) {
      sum[i % width] += rows.get(i);
    }
    float[] mean = new float[width];
    for (int j = 0; j < width; j++) {
      mean[j] = (float) (sum[j] / n);
    }
    return mean;
  }
}
