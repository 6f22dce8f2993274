package org.peft4j.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The whole story on real weights and real data. */
@Command(
    name = "demo",
    description = "Train LoRA on a real model and real data, merge it, run it in ONNX Runtime.",
    mixinStandardHelpOptions = true)
final class DemoCommand implements Callable<Integer> {
  @Option(
      names = "--full",
      description =
          "20,000 training and 4,000 held-out glosses and 3 seeds (about an hour and a half on 2 cores).")
  private boolean full;

  @Option(
      names = "--out",
      defaultValue = "peft4j-demo",
      paramLabel = "DIR",
      description = "Where to write; default ${DEFAULT-VALUE}.")
  private Path out = Path.of("peft4j-demo");

  @Override
  public Integer call() throws IOException {
    new Demo(full ? Demo.Size.FULL : Demo.Size.QUICK, out).run();
    return 0;
  }
}
