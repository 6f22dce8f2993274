package org.peft4j.export;

import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.peft4j.adapter.PeftModel;
import org.peft4j.adapter.PlainLora;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxAdapter;
import org.peft4j.tensor.Torch;

/** Writes adapters as {@code .onnx_adapter} files, for graphs with places for them. */
public final class AdapterExport {
  private AdapterExport() {}

  /**
   * Writes an adapter, whole or not at all: its scale is in B, and the number of its base in the
   * file's model version.
   *
   * @throws IllegalArgumentException when it is no plain LoRA, or adds nothing
   */
  public static OnnxAdapter write(PeftModel model, String name, Path file) {
    PlainLora lora = PlainLora.of(model, name);
    try (NDManager owner = Torch.newManager()) {
      List<Initializer> tensors = new ArrayList<>();
      lora.tensors(owner).forEach((n, array) -> tensors.add(Initializer.of(n, array)));
      OnnxAdapter.write(file, BaseNumber.of(model.blueprint().sites()), tensors);
      return OnnxAdapter.read(file);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be written: " + e.getMessage(), e);
    }
  }
}
