package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Tuned;
import org.peft4j.model.Pretrained;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Puts an adapter into the weights of its base. */
@Command(
    name = "merge",
    description = "Merge an adapter into its base and write a Hugging Face directory.",
    mixinStandardHelpOptions = true)
final class MergeCommand implements Callable<Integer> {
  @Mixin private ModelOptions options = new ModelOptions();

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where to write the merged model.")
  private Path out = Path.of("");

  @Option(
      names = "--detach",
      description =
          "Write the smaller model that a shadow adapter has beside its base instead, alone.")
  private boolean detach;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    try (Tuned tuned = options.tuned();
        Pretrained merged = detach ? tuned.detach() : tuned.merge()) {
      merged.save(out);
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("out", out.toString());
      line.put("parameters", merged.parameters());
      if (json) {
        JsonLine.print(line);
      } else {
        System.out.println(merged + "\n-> " + out);
      }
    }
    return 0;
  }
}
