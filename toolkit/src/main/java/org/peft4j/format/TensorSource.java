package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * A file of named tensors, read one at a time on demand. Opening it checks the whole structure;
 * nothing else stays in memory. Safe for use by several threads until it is closed.
 */
public interface TensorSource extends AutoCloseable {
  /**
   * What the file says about one tensor.
   *
   * @param dtype element type in the file's own words, such as {@code BF16} in safetensors
   * @param shape the shape it is loaded with
   * @param bytes its length in the file
   */
  record Info(String dtype, Shape shape, long bytes) {}

  /**
   * Opens a safetensors file, a PyTorch checkpoint ({@code .bin}, {@code .pt}, {@code .pth}), an
   * ONNX or GGUF file, the index of a sharded one, or a model's directory: {@code
   * model.safetensors}, else {@code pytorch_model.bin}, either in one file or sharded.
   *
   * @throws IllegalArgumentException that names every problem of a malformed file
   */
  static TensorSource open(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      boolean safetensors =
          Files.exists(path.resolve(Safetensors.SINGLE))
              || Files.exists(path.resolve(Safetensors.INDEX));
      for (String name : List.of("pytorch_model.bin", "pytorch_model.bin.index.json")) {
        if (!safetensors && Files.exists(path.resolve(name))) {
          return open(path.resolve(name));
        }
      }
      return Safetensors.open(path);
    }
    String name = path.toString().toLowerCase(Locale.ROOT);
    if (name.endsWith(".bin.index.json")) {
      return new Shards(path, TorchBin::open);
    }
    if (name.endsWith(".bin") || name.endsWith(".pt") || name.endsWith(".pth")) {
      return TorchBin.open(path);
    }
    if (name.endsWith(".gguf")) {
      return Gguf.open(path);
    }
    return name.endsWith(".onnx") ? OnnxWeights.open(path) : Safetensors.open(path);
  }

  /** The file or directory, for messages. */
  Path origin();

  /** The names of all tensors, in the order of the file. */
  Set<String> names();

  /**
   * Type, shape and size of a tensor, without loading it.
   *
   * @throws IllegalArgumentException when there is no such tensor
   */
  Info info(String name);

  /**
   * Loads one tensor into a new CPU array of {@code manager} that owns its memory. Floats below 32
   * bits become float32, 16-bit integers int32 (DJL has no arrays of those); other types stay.
   *
   * @throws IllegalArgumentException when there is no such tensor, or no array type for it
   * @throws java.io.UncheckedIOException when reading fails
   */
  NDArray load(String name, NDManager manager);

  @Override
  void close();
}
