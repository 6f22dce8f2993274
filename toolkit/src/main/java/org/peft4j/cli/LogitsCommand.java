package org.peft4j.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Tuned;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Runs a model on stored inputs, so that anyone can hold it against another implementation. */
@Command(
    name = "logits",
    description = "Run a model on stored inputs and store its outputs (safetensors).",
    mixinStandardHelpOptions = true)
final class LogitsCommand implements Callable<Integer> {
  @Mixin private ModelOptions options = new ModelOptions();

  @Option(
      names = "--inputs",
      required = true,
      paramLabel = "FILE",
      description =
          "input_ids, attention_mask, token_type_ids, decoder_input_ids: int64 [batch, length]; or pixel_values.")
  private Path inputs = Path.of("");

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE",
      description = "Where to write logits (or last_hidden_state).")
  private Path out = Path.of("");

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    Tuned tuned = options.adapter == null ? null : options.tuned();
    Pretrained base = tuned == null ? options.load() : tuned.model();
    Block model = tuned == null ? base : tuned;
    List<String> outputs = base.outputNames();
    Map<String, NDArray> results = new LinkedHashMap<>();
    try (NDManager manager = Torch.newManager();
        TensorSource source = Safetensors.open(inputs)) {
      NDList in = new NDList();
      for (NDArray a : read(source, base.inputNames(), manager)) {
        in.add(a);
      }
      NDList result =
          Torch.inference(() -> model.forward(new ParameterStore(manager, false), in, false));
      for (int i = 0; i < outputs.size(); i++) {
        results.put(outputs.get(i), result.get(i));
      }
      Safetensors.write(out, results, Map.of());
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      results.forEach(
          (n, a) -> line.put(n, java.util.Arrays.stream(a.getShape().getShape()).boxed().toList()));
      line.put("out", out.toString());
      if (json) {
        JsonLine.print(line);
      } else {
        results.forEach((n, a) -> System.out.println(n + " " + a.getShape() + " -> " + out));
      }
    }
    return 0;
  }

  private List<NDArray> read(TensorSource source, List<String> names, NDManager manager) {
    List<NDArray> arrays = new ArrayList<>();
    for (String name : names) {
      if (source.names().contains(name)) {
        DataType type = name.equals("pixel_values") ? DataType.FLOAT32 : DataType.INT64;
        NDArray array = source.load(name, manager).toType(type, false);
        array.setName(name);
        arrays.add(array);
      }
    }
    if (arrays.isEmpty()) {
      throw new IllegalArgumentException(
          inputs + ": no inputs of this model\nexpected: " + names + "\nfound: " + source.names());
    }
    return arrays;
  }
}
