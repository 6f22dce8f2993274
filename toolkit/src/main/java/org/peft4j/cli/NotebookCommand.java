package org.peft4j.cli;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.peft4j.ipynb.Execution;
import org.peft4j.ipynb.Ipynb;
import org.peft4j.ipynb.Page;
import org.peft4j.ipynb.SessionEvaluator;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Jupyter with a Java kernel that has the toolkit. */
@Command(
    name = "notebook",
    description = "Start Jupyter with the tutorials, or make its Java kernel known to it.",
    mixinStandardHelpOptions = true)
final class NotebookCommand implements Callable<Integer> {
  /** One of these, or none. */
  private static final class What {
    @Option(
        names = "--install",
        description = "Write the kernel 'peft4j' to Jupyter's folder of this user.")
    private boolean install;

    @Option(names = "--uninstall", description = "Remove it.")
    private boolean uninstall;

    @Option(
        names = "--render",
        paramLabel = "DIR",
        description =
            "Run notebooks here, without Jupyter, and write them as pages of HTML to DIR.")
    private @Nullable Path pages;
  }

  @ArgGroup private @Nullable What what;

  @Option(
      names = "--for",
      paramLabel = "KERNEL",
      description =
          "With --install or --uninstall: ${COMPLETION-CANDIDATES}, a kernel of others with our class path; jjava needs its jar in JJAVA_JAR.")
  private KernelSpec.Kind kind = KernelSpec.Kind.PEFT4J;

  @Parameters(
      paramLabel = "FILE",
      description = "With --render: the notebooks; default all Java tutorials.")
  private List<Path> files = List.of();

  @Override
  public Integer call() throws IOException, InterruptedException {
    KernelSpec spec = new KernelSpec(kind);
    if (what != null && what.install) {
      System.out.println(spec.install());
      return 0;
    }
    if (what != null && what.uninstall) {
      System.out.println(spec.uninstall());
      return 0;
    }
    if (what != null && what.pages != null) {
      render(what.pages);
      return 0;
    }
    return start();
  }

  private void render(Path folder) throws IOException {
    for (Path file : files.isEmpty() ? tutorials() : files) {
      try (SessionEvaluator evaluator = new SessionEvaluator()) {
        Execution done = Execution.of(Ipynb.read(file), evaluator);
        System.out.printf(Locale.ROOT, "%s, %.0f s%n", Page.write(done, folder), done.seconds());
      }
    }
  }

  private static List<Path> tutorials() throws IOException {
    try (Stream<Path> all = Files.list(folder())) {
      return all.filter(f -> f.toString().endsWith(".ipynb"))
          .filter(f -> Ipynb.read(f).language().equals("java"))
          .sorted()
          .toList();
    }
  }

  private static Path folder() {
    return Path.of(System.getProperty("peft4j.root", "."), "notebooks");
  }

  private static int start() throws IOException, InterruptedException {
    for (List<String> command : List.of(List.of("jupyter-lab"), List.of("jupyter-notebook"))) {
      Path program = onPath(command.get(0));
      if (program != null) {
        new KernelSpec(KernelSpec.Kind.PEFT4J).install();
        ProcessBuilder jupyter = new ProcessBuilder(program.toString()).inheritIO();
        if (Files.isDirectory(folder())) {
          jupyter.directory(folder().toFile());
        }
        return jupyter.start().waitFor();
      }
    }
    System.err.println("no Jupyter on the PATH (jupyter-lab or jupyter-notebook)");
    System.err.println(
        "fix: python3 -m pip install jupyterlab, or on Debian: apt-get install jupyter-notebook");
    return 1;
  }

  private static @Nullable Path onPath(String name) {
    boolean windows =
        System.getProperty("os.name", "").toLowerCase(Locale.ROOT).startsWith("windows");
    String path = System.getenv("PATH");
    return Stream.of((path == null ? "" : path).split(File.pathSeparator))
        .filter(d -> !d.isEmpty())
        .map(d -> Path.of(d, windows ? name + ".exe" : name))
        .filter(Files::isExecutable)
        .findFirst()
        .orElse(null);
  }
}
