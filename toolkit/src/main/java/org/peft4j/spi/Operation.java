package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import org.jspecify.annotations.Nullable;

/** How a site uses a weight, for the real weight and for a low-rank factor of it alike. */
public interface Operation {
  /** The site's own map with another weight and bias in place. */
  NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias);

  /**
   * A linear map over the output channels of {@link #apply}, m {@code [channels out, channels in]}.
   */
  NDArray mix(NDArray h, NDArray m);

  /**
   * The low-rank factor that {@link #apply} takes, given A {@code [r, in...]} as Hugging Face
   * stores it.
   */
  default NDArray factor(NDArray a) {
    return a;
  }

  /** {@code x W^T + b} over the last axis. */
  Operation LINEAR =
      new Operation() {
        @Override
        public NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias) {
          return x.getNDArrayInternal().linear(x, weight, bias).singletonOrThrow();
        }

        @Override
        public NDArray mix(NDArray h, NDArray m) {
          return apply(h, m, null);
        }
      };

  /**
   * {@code x_e W_e^T} for every expert e, x {@code [experts, n, in]}, W {@code [experts, out, in]}.
   */
  Operation EXPERTS =
      new Operation() {
        @Override
        public NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias) {
          return x.matMul(weight.transpose(0, 2, 1));
        }

        @Override
        public NDArray mix(NDArray h, NDArray m) {
          throw new UnsupportedOperationException("experts do not share a map");
        }
      };

  /** Rows of W {@code [vocabulary, dim]} at integer ids. */
  Operation EMBEDDING =
      new Operation() {
        @Override
        public NDArray apply(NDArray ids, NDArray weight, @Nullable NDArray bias) {
          return weight
              .getNDArrayInternal()
              .embedding(ids, weight, SparseFormat.DENSE)
              .singletonOrThrow();
        }

        @Override
        public NDArray mix(NDArray h, NDArray m) {
          return LINEAR.apply(h, m, null);
        }

        @Override
        public NDArray factor(NDArray a) {
          return a.transpose(); // stored [r, vocabulary]
        }
      };

  /** Normalisation over the last axis with gain W and shift b, or none. */
  static Operation layerNorm(double epsilon) {
    return new Operation() {
      @Override
      public NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias) {
        NDArray shift = bias == null ? weight.zerosLike() : bias; // DJL does not take null here
        return x.getNDArrayInternal()
            .layerNorm(x, weight.getShape(), weight, shift, (float) epsilon)
            .singletonOrThrow();
      }

      @Override
      public NDArray mix(NDArray h, NDArray m) {
        throw new UnsupportedOperationException("a normalisation has no low-rank factor");
      }
    };
  }

  /** Convolution of x {@code [batch, in, space...]}. */
  static Operation convolution(Shape stride, Shape padding, Shape dilation, int groups) {
    return new Operation() {
      @Override
      public NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias) {
        return x.getNDArrayInternal()
            .convolution(x, weight, bias, stride, padding, dilation, groups)
            .singletonOrThrow();
      }

      @Override
      public NDArray mix(NDArray h, NDArray m) {
        int space = stride.dimension();
        long[] shape = new long[2 + space];
        java.util.Arrays.fill(shape, 1);
        shape[0] = m.getShape().get(0);
        shape[1] = m.getShape().get(1);
        Shape ones =
            new Shape(java.util.stream.LongStream.generate(() -> 1).limit(space).toArray());
        Shape zeros = new Shape(new long[space]);
        return h.getNDArrayInternal()
            .convolution(h, m.reshape(new Shape(shape)), null, ones, zeros, ones, 1)
            .singletonOrThrow();
      }
    };
  }

  /** A parameter whose use is not known: it has a weight form only. */
  Operation UNKNOWN =
      new Operation() {
        @Override
        public NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias) {
          throw new UnsupportedOperationException(
              "only the block itself knows how it uses this parameter");
        }

        @Override
        public NDArray mix(NDArray h, NDArray m) {
          throw new UnsupportedOperationException(
              "only the block itself knows how it uses this parameter");
        }
      };
}
