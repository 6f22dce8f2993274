package org.peft4j.cli;

import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.peft4j.shell.Failure;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** {@code peft}: the same jobs from a shell. Exit codes: 0 done, 1 failed, 2 wrong usage. */
@Command(
    name = "peft",
    description = "Parameter-efficient fine-tuning on the JVM.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      DemoCommand.class,
      JshellCommand.class,
      RunCommand.class,
      NotebookCommand.class,
      InfoCommand.class,
      TeachCommand.class,
      TrainCommand.class,
      EvalCommand.class,
      PerplexityCommand.class,
      GenerateCommand.class,
      LogitsCommand.class,
      MergeCommand.class,
      ConvertCommand.class,
      ExportCommand.class,
      BenchCommand.class,
      CompareCommand.class,
      CountCommand.class,
      MethodsCommand.class,
      PushCommand.class,
      CacheCommand.class
    })
public final class Main implements Runnable {
  @Option(
      names = "--trace",
      description = "Print the stack trace of a failure.",
      scope = ScopeType.INHERIT)
  boolean trace;

  @CommandLine.Spec private CommandLine.Model.@Nullable CommandSpec spec;

  private Main() {}

  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT);
    System.exit(run(args));
  }

  /** Runs a command line; the exit code. */
  static int run(String... args) {
    Main main = new Main();
    CommandLine line = new CommandLine(main);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionExceptionHandler(
        (e, command, parsed) -> {
          command.getErr().println(command.getColorScheme().errorText(Failure.sentence(e)));
          if (main.trace) {
            e.printStackTrace(command.getErr());
          }
          return 1;
        });
    return line.execute(args);
  }

  @Override
  public void run() {
    if (spec != null) {
      spec.commandLine().usage(System.out);
    }
  }

  /** The version from the jar's manifest. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String v = Main.class.getPackage().getImplementationVersion();
      return new String[] {
        "peft4j " + (v == null ? "(from sources)" : v) + ", Java " + Runtime.version()
      };
    }
  }
}
