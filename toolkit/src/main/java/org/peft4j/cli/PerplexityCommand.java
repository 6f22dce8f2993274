package org.peft4j.cli;

import ai.djl.nn.Block;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Tuned;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.train.Perplexity;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Measures how well a language model foretells a text. */
@Command(
    name = "perplexity",
    description =
        "Measure how well a language model foretells a text, in windows without overlap; the first"
            + " token of each is not scored.",
    mixinStandardHelpOptions = true)
final class PerplexityCommand implements Callable<Integer> {
  @Mixin private ModelOptions options = new ModelOptions();

  @Option(
      names = "--text",
      required = true,
      paramLabel = "FILE",
      description = "A text in UTF-8, tokenised whole.")
  private Path text = Path.of("");

  @Option(
      names = "--window",
      defaultValue = "512",
      paramLabel = "N",
      description = "Tokens that are looked at together; default ${DEFAULT-VALUE}.")
  private int window;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    if (!Files.isRegularFile(text)) {
      throw new IllegalArgumentException("--text: " + text + ": no such file");
    }
    Tuned tuned = options.adapter == null ? null : options.tuned();
    Pretrained base = tuned == null ? options.load() : tuned.model();
    if (base.task() != Task.CAUSAL_LM) {
      throw new IllegalArgumentException(
          "--model: '"
              + base.name()
              + "' does not write text\n"
              + "fix: name a causal language model (architectures that end in ForCausalLM)");
    }
    Block model = tuned == null ? base : tuned;
    Perplexity p =
        Perplexity.of(model, base.tokenizer().encode(Files.readString(text)).ids(), window);
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("perplexity", p.value());
      line.put("scored", p.scored());
      JsonLine.print(line);
    } else {
      System.out.println(p);
    }
    return 0;
  }
}
