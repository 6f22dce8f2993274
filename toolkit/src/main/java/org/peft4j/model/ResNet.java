package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.BatchNorm;
import org.peft4j.nn.Convolution;
import org.peft4j.nn.Group;
import org.peft4j.nn.Layer;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.ActivationFunction;

/**
 * ResNet (He et al., arXiv 1512.03385) as {@code transformers} computes it: a stem, then stages of
 * residual layers of convolutions, each halving height and width. Hidden states are {@code [batch,
 * channels, height, width]}. It has no rows of tokens, so methods adapt its weights alone.
 */
final class ResNet extends Body {
  private static final double EPSILON = 1e-5;
  private static final int REDUCTION = 4; // of channels inside of a bottleneck

  static final Architecture ARCHITECTURE =
      new Architecture(
              "resnet",
              "resnet",
              List.of("pixel_values"),
              List.of("convolution"),
              (config, pooled) -> new ResNet(config))
          .headed(
              Task.IMAGE_CLASSIFICATION,
              (config, hidden, labels) -> new ChannelHead(hidden, labels));

  private final int channels;
  private final int hidden;
  private final ConvLayer stem;
  private final List<Residual> layers = new ArrayList<>();

  private ResNet(Config config) {
    channels = config.sizeOr(3, "num_channels");
    int in = config.sizeOr(64, "embedding_size");
    double[] sizes = config.numbers("hidden_sizes");
    double[] depths = config.numbers("depths");
    String type = config.text("layer_type", "bottleneck");
    if (sizes.length != depths.length || sizes.length == 0) {
      throw new IllegalArgumentException(
          config.source()
              + ": hidden_sizes and depths\nexpected: as many of each\nfound: "
              + sizes.length
              + " and "
              + depths.length);
    }
    if (!type.equals("basic") && !type.equals("bottleneck")) {
      throw new IllegalArgumentException(
          config.source() + ": layer_type\nexpected: basic or bottleneck\nfound: " + type);
    }
    ActivationFunction activation =
        ActivationFunction.of(config.text("hidden_act", "relu"), config.source());
    stem =
        addChildBlock("embedder", new Group())
            .child("embedder", new ConvLayer(channels, in, 7, 2, activation));
    Group stages = addChildBlock("encoder", new Group()).group("stages");
    for (int s = 0; s < sizes.length; s++) {
      Group stage = stages.group(String.valueOf(s)).group("layers");
      int out = (int) sizes[s];
      for (int i = 0; i < (int) depths[s]; i++) {
        boolean halves = i == 0 && (s > 0 || config.flag("downsample_in_first_stage", false));
        boolean early = config.flag("downsample_in_bottleneck", false);
        layers.add(
            stage.child(
                String.valueOf(i),
                new Residual(
                    i == 0 ? in : out,
                    out,
                    halves ? 2 : 1,
                    type.equals("bottleneck"),
                    i == 0 && early,
                    activation)));
      }
      in = out;
    }
    hidden = in;
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    NDArray pixels = in.require("pixel_values").toType(DataType.FLOAT32, false);
    Shape shape = pixels.getShape();
    if (shape.dimension() != 4 || shape.get(1) != channels) {
      throw new IllegalArgumentException(
          "pixel_values\nexpected: (batch, " + channels + ", height, width)\nfound: " + shape);
    }
    NDArray x =
        stem.apply(pass, pixels)
            .getNDArrayInternal()
            .maxPool(new Shape(3, 3), new Shape(2, 2), new Shape(1, 1), false);
    for (Residual layer : layers) {
      x = layer.apply(pass, x);
    }
    return x;
  }

  @Override
  public NDArray pool(Pass pass, NDArray states) {
    return states.mean(new int[] {3}, true).mean(new int[] {2}, true);
  }

  @Override
  public int hiddenSize() {
    return hidden;
  }

  /** What first looks at an image. */
  @Override
  public Frozen embeddings() {
    return stem.convolution.frozen();
  }

  @Override
  public @Nullable Anatomy anatomy() {
    return null;
  }

  /** A convolution that keeps height and width or halves them, and a normalisation. */
  private static final class ConvLayer extends Layer {
    final Convolution convolution;
    private final BatchNorm normalization;
    private final @Nullable ActivationFunction activation;

    ConvLayer(int in, int out, int kernel, int stride, @Nullable ActivationFunction activation) {
      this.activation = activation;
      convolution =
          addChildBlock(
              "convolution",
              new Convolution(
                  in,
                  out,
                  new Shape(kernel, kernel),
                  new Shape(stride, stride),
                  new Shape(kernel / 2, kernel / 2),
                  false));
      normalization = addChildBlock("normalization", new BatchNorm(out, EPSILON));
    }

    NDArray apply(Pass pass, NDArray x) {
      NDArray y = normalization.apply(pass, convolution.apply(pass, x));
      return activation == null ? y : activation.apply(y);
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      return new NDList(apply(pass, in.singletonOrThrow()));
    }
  }

  /** Two or three convolutions and a way around them. */
  private static final class Residual extends Layer {
    private final @Nullable ConvLayer shortcut;
    private final List<ConvLayer> parts;
    private final ActivationFunction activation;

    /** {@code early}: whether the first of three convolutions halves, rather than the second. */
    Residual(
        int in,
        int out,
        int stride,
        boolean bottleneck,
        boolean early,
        ActivationFunction activation) {
      this.activation = activation;
      shortcut =
          in == out && stride == 1
              ? null
              : addChildBlock("shortcut", new ConvLayer(in, out, 1, stride, null));
      Group layer = addChildBlock("layer", new Group());
      // transformers gives its activation to the end alone
      ActivationFunction inner = ActivationFunction.RELU;
      int few = out / REDUCTION;
      parts =
          bottleneck
              ? List.of(
                  new ConvLayer(in, few, 1, early ? stride : 1, inner),
                  new ConvLayer(few, few, 3, early ? 1 : stride, inner),
                  new ConvLayer(few, out, 1, 1, null))
              : List.of(
                  new ConvLayer(in, out, 3, stride, inner), new ConvLayer(out, out, 3, 1, null));
      for (int i = 0; i < parts.size(); i++) {
        layer.child(String.valueOf(i), parts.get(i));
      }
    }

    NDArray apply(Pass pass, NDArray x) {
      NDArray y = x;
      for (ConvLayer part : parts) {
        y = part.apply(pass, y);
      }
      return activation.apply(y.add(shortcut == null ? x : shortcut.apply(pass, x)));
    }

    @Override
    protected NDList compute(Pass pass, NDList in) {
      return new NDList(apply(pass, in.singletonOrThrow()));
    }
  }
}
