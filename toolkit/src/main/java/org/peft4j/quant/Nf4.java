package org.peft4j.quant;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;

/**
 * A weight in {@link NormalFloat 4-bit NormalFloat}, decoded for each use: {@code W = value(code) *
 * absmax(block)}. Stored as bitsandbytes' files have it: {@code weight} uint8 {@code [(n + 1) / 2,
 * 1]}, {@code weight.absmax} float32 {@code [blocks]}.
 */
public final class Nf4 implements Frozen {
  /** Blocks of 64 weights, bitsandbytes' default: 4.5 bits per weight. */
  public static final Storage BLOCKS_OF_64 = new Blocks(64);

  /** The two values of each byte, {@code [256, 2]}. */
  private static final float[] PAIRS = pairs();

  private final Shape shape;
  private final int block;
  private final Parameter packed;
  private final Parameter absmax;
  private final @Nullable Parameter bias;
  private final Operation operation;

  private Nf4(
      Shape shape,
      int block,
      Parameter packed,
      Parameter absmax,
      @Nullable Parameter bias,
      Operation operation) {
    this.shape = shape;
    this.block = block;
    this.packed = packed;
    this.absmax = absmax;
    this.bias = bias;
    this.operation = operation;
  }

  /** NF4 in blocks of this many weights. */
  record Blocks(int size) implements Storage {
    @Override
    public String name() {
      return "nf4";
    }

    @Override
    public double bits() {
      return 4 + 32.0 / size;
    }

    @Override
    public Nf4 store(Frozen like, NDArray weight, NDManager owner) {
      if (weight.getDataType() != DataType.FLOAT32) {
        throw new IllegalArgumentException(
            "nf4\nexpected: a float32 weight\nfound: " + weight.getDataType());
      }
      int n = Math.toIntExact(weight.size());
      NDArray most = owner.create(new Shape((n + size - 1) / size), DataType.FLOAT32);
      NDArray codes =
          Buffers.create(
              owner,
              new Shape((n + 1) / 2, 1),
              DataType.UINT8,
              bytes ->
                  NormalFloat.quantise(
                      Buffers.view(weight).asFloatBuffer(),
                      size,
                      bytes,
                      Buffers.view(most).asFloatBuffer()));
      Parameter was = like.parameters().get(0);
      return new Nf4(
          weight.getShape(),
          size,
          Parameters.of(was.getName(), was.getType(), Scope.giveTo(owner, codes), false),
          Parameters.of(was.getName() + ".absmax", was.getType(), Scope.giveTo(owner, most), false),
          like.biasParameter(),
          like.operation());
    }
  }

  private static float[] pairs() {
    float[] out = new float[512];
    for (int b = 0; b < 256; b++) {
      out[2 * b] = NormalFloat.value(b >> 4);
      out[2 * b + 1] = NormalFloat.value(b & 15);
    }
    return out;
  }

  @Override
  public Shape shape() {
    return shape;
  }

  @Override
  public long biasSize() {
    return bias == null ? 0 : bias.getArray().size();
  }

  @Override
  public Operation operation() {
    return operation;
  }

  /** The decoded weight: one product in float32 per number, as bitsandbytes decodes. */
  @Override
  public NDArray weight(Pass pass) {
    NDArray codes = pass.value(packed);
    if (!(codes instanceof PtNDArray)) {
      throw new IllegalStateException(
          "a model in nf4 cannot be traced\nfix: export model.dequantized(), or merge() first");
    }
    NDManager manager = pass.getManager();
    try (Scope scope = Scope.open()) {
      long n = shape.size();
      NDArray most = pass.value(absmax);
      NDArray table = Buffers.create(manager, PAIRS, new Shape(256, 2));
      NDArray values =
          Operation.EMBEDDING.apply(
              codes.flatten().toType(DataType.INT32, false), table, null); // [bytes, 2]
      NDArray decoded;
      if (n % block == 0) {
        decoded = values.reshape(-1, block).muli(most.reshape(-1, 1));
      } else {
        NDArray scale = most.reshape(-1, 1).broadcast(new Shape(most.size(), block)).flatten();
        decoded = values.flatten().get(":{}", n).mul(scale.get(":{}", n));
      }
      NDArray out = scope.keep(decoded.reshape(shape));
      out.attach(manager);
      return out;
    }
  }

  @Override
  public @Nullable NDArray bias(Pass pass) {
    return bias == null ? null : pass.value(bias);
  }

  @Override
  public NDArray apply(Pass pass, NDArray x, @Nullable NDArray bias) {
    try (Scope scope = Scope.open()) {
      NDArray y = scope.keep(operation.apply(x, weight(pass), bias));
      y.attach(x.getManager());
      return y;
    }
  }

  @Override
  public List<Parameter> parameters() {
    return bias == null ? List.of(packed, absmax) : List.of(packed, absmax, bias);
  }

  @Override
  public @Nullable Parameter biasParameter() {
    return bias;
  }
}
