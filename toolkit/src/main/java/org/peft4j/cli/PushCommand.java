package org.peft4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.hub.Hub;
import org.peft4j.hub.Push;
import org.peft4j.hub.Pushed;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Puts an adapter, or a model, on the hub. */
@Command(
    name = "push",
    description =
        "Push a folder with an adapter or a model to the Hugging Face hub, for all to see unless"
            + " --private is given. Needs a token that may write: HF_TOKEN, or hf auth login.",
    mixinStandardHelpOptions = true)
final class PushCommand implements Callable<Integer> {
  @Parameters(
      index = "0",
      paramLabel = "DIR",
      description = "What tuned.save(...), peft train, merge or convert wrote.")
  private Path folder = Path.of("");

  @Parameters(
      index = "1",
      paramLabel = "ORG/NAME",
      description = "The repository, made if it is not there.")
  private String name = "";

  @Option(names = "--private", description = "For its owners alone.")
  private boolean isPrivate;

  @Option(
      names = "--branch",
      defaultValue = "main",
      paramLabel = "NAME",
      description = "The branch that gets a commit; default ${DEFAULT-VALUE}.")
  private String branch = "main";

  @Option(names = "--message", paramLabel = "TEXT", description = "The commit's message.")
  private @Nullable String message;

  @Option(
      names = "--metric",
      paramLabel = "NAME=VALUE",
      description = "A figure for the model card, such as accuracy=0.851. Repeatable.")
  private Map<String, Double> metrics = new LinkedHashMap<>();

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() {
    Push how = (isPrivate ? Push.privately() : Push.publicly()).branch(branch).metrics(metrics);
    Pushed pushed = Hub.push(folder, name, message == null ? how : how.message(message));
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("id", pushed.id());
      line.put("url", pushed.url());
      line.put("commit", pushed.commit());
      line.put("files", pushed.files());
      line.put("bytes", pushed.bytes());
      JsonLine.print(line);
    } else {
      System.out.println(pushed);
    }
    return 0;
  }
}
