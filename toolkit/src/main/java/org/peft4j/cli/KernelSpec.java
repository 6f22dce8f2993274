package org.peft4j.cli;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.peft4j.format.AtomicFiles;
import org.peft4j.format.Json;
import org.peft4j.shell.MavenLibraries;
import org.peft4j.tensor.CacheHome;

/**
 * The folder by which Jupyter knows a kernel: {@code kernel.json} with the command that starts it.
 */
final class KernelSpec {
  /** As in the POM of the kernel's module, whose adapters are compiled against them. */
  static final String KOTLIN_KERNEL = "0.11.0-398";

  static final String RAPAIO_KERNEL = "3.0.1";

  private static final String LOGBACK = "logback.xml";

  private static final String QUIET = // or that kernel tells each message
      """
      <configuration>
        <appender name="terminal" class="ch.qos.logback.core.ConsoleAppender">
          <encoder><pattern>%-5level %logger{36} - %msg%n</pattern></encoder>
        </appender>
        <root level="warn"><appender-ref ref="terminal"/></root>
      </configuration>
      """;

  /** Kernels that can run our notebooks. */
  enum Kind {
    PEFT4J("peft4j", "peft4j (Java)", "java"),
    RAPAIO("peft4j-rapaio", "peft4j (Java, rapaio)", "java"),
    KOTLIN("peft4j-kotlin", "peft4j (Kotlin)", "kotlin"),
    JJAVA("peft4j-jjava", "peft4j (Java, JJava)", "java");

    private final String folder;
    private final String title;
    private final String language;

    Kind(String folder, String title, String language) {
      this.folder = folder;
      this.title = title;
      this.language = language;
    }
  }

  private final Kind kind;
  private final Path data;

  /** Where Jupyter looks for what this user has installed. */
  KernelSpec(Kind kind) {
    this(kind, usersData());
  }

  /**
   * @param data a folder of Jupyter's data, the kernel's goes below it
   */
  KernelSpec(Kind kind, Path data) {
    this.kind = kind;
    this.data = data;
  }

  /** Writes the folder, in place of one that is there; a sentence on where. */
  String install() throws IOException {
    Map<String, Object> spec = new LinkedHashMap<>();
    spec.put("argv", command());
    spec.put("display_name", kind.title);
    spec.put("language", kind.language);
    spec.put("interrupt_mode", "message");
    spec.put("env", environment());
    AtomicFiles.deleteTree(folder()); // of an earlier class path
    Path folder =
        AtomicFiles.installDirectory(
            folder(),
            d -> {
              Files.writeString(d.resolve("kernel.json"), Json.formatUnsorted(spec) + "\n");
              if (kind == Kind.KOTLIN) {
                Files.writeString(d.resolve(LOGBACK), QUIET);
              }
              Logo.write(d);
            });
    return "kernel '"
        + kind.folder
        + "' written to "
        + folder
        + "\nIt runs what is built in this folder; after moving it, install again. Choose \""
        + kind.title
        + "\" in Jupyter, or start it by ./peft notebook.";
  }

  /** Removes the folder; a sentence. */
  String uninstall() throws IOException {
    Path folder = folder();
    if (!Files.isDirectory(folder)) {
      return "there is no kernel '" + kind.folder + "' in " + folder.getParent();
    }
    AtomicFiles.deleteTree(folder);
    return "kernel '" + kind.folder + "' removed from " + folder.getParent();
  }

  private Path folder() {
    return data.resolve("kernels").resolve(kind.folder);
  }

  private static Path usersData() {
    String named = CacheHome.setting("JUPYTER_DATA_DIR");
    if (named != null) {
      return Path.of(named);
    }
    String os = System.getProperty("os.name", "");
    Path home = Path.of(System.getProperty("user.home", "."));
    if (os.startsWith("Windows")) {
      String roaming = System.getenv("APPDATA");
      return (roaming != null ? Path.of(roaming) : home.resolve("AppData").resolve("Roaming"))
          .resolve("jupyter");
    }
    if (os.startsWith("Mac")) {
      return home.resolve("Library").resolve("Jupyter");
    }
    String xdg = System.getenv("XDG_DATA_HOME");
    return (xdg != null && !xdg.isBlank() ? Path.of(xdg) : home.resolve(".local").resolve("share"))
        .resolve("jupyter");
  }

  private Map<String, String> environment() {
    return kind == Kind.JJAVA ? Map.of("JJAVA_CLASSPATH", ownClassPath()) : Map.of();
  }

  private List<String> command() {
    return switch (kind) {
      case PEFT4J -> java(kernelClassPath(), "org.peft4j.kernel.Launch", "{connection_file}");
      case RAPAIO -> rapaio();
      case KOTLIN -> kotlin();
      case JJAVA -> {
        String jar = System.getenv("JJAVA_JAR");
        if (jar == null || !Files.isRegularFile(Path.of(jar))) {
          throw new IllegalStateException(
              "JJAVA_JAR: no jar\nexpected: the kernel's jar, from https://github.com/dflib/jjava/releases\nfix: JJAVA_JAR=... ./peft notebook --install --for jjava");
        }
        List<String> c = options();
        c.add(0, runningJava().toString());
        c.addAll(List.of("-jar", Path.of(jar).toAbsolutePath().toString(), "{connection_file}"));
        yield c;
      }
    };
  }

  private List<String> kotlin() {
    String jna = // before that kernel's older one, whose native part would be found for ours
        Stream.of(ownClassPath().split(File.pathSeparator))
            .filter(p -> Path.of(p).getFileName().toString().startsWith("jna-"))
            .map(p -> p + File.pathSeparator)
            .collect(Collectors.joining());
    List<String> c =
        java(
            jna + libraries("org.jetbrains.kotlinx:kotlin-jupyter-kernel:" + KOTLIN_KERNEL),
            "org.jetbrains.kotlinx.jupyter.IkotlinKt",
            "{connection_file}",
            // what cells see: not what the kernel itself runs on
            "-cp="
                + libraries("org.jetbrains.kotlinx:kotlin-jupyter-lib:" + KOTLIN_KERNEL)
                + File.pathSeparator
                + kernelClassPath());
    c.add(1, "-Dlogback.configurationFile=" + folder().resolve(LOGBACK).toAbsolutePath());
    c.add(1, "-Dslf4j.provider=org.slf4j.simple.SimpleServiceProvider"); // ours, in cells
    return c;
  }

  private static List<String> rapaio() {
    return java(
        libraries("io.github.padreati:rapaio-jupyter-kernel:" + RAPAIO_KERNEL)
            + File.pathSeparator
            + kernelClassPath(),
        "org.peft4j.kernel.RapaioLaunch",
        "{connection_file}");
  }

  private static Path runningJava() {
    return Path.of(System.getProperty("java.home"), "bin", "java");
  }

  private static List<String> java(String classPath, String... rest) {
    List<String> c = new ArrayList<>();
    c.add(runningJava().toString());
    c.addAll(options());
    c.addAll(List.of("-cp", classPath));
    c.addAll(List.of(rest));
    return c;
  }

  /** As the start script passes them. */
  private static List<String> options() {
    int version = Runtime.version().feature();
    List<String> out = new ArrayList<>();
    if (version >= 22) {
      out.add("--enable-native-access=ALL-UNNAMED");
    }
    if (version >= 24) {
      out.add("--sun-misc-unsafe-memory-access=allow");
    }
    out.add("-Djava.awt.headless=true");
    out.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
    out.add("-DPEFT4J_PROGRESS=off");
    return out;
  }

  private static String libraries(String coordinate) {
    return MavenLibraries.resolve(coordinate).stream()
        .map(Path::toString)
        .collect(Collectors.joining(File.pathSeparator));
  }

  /** The class path of this process, in full paths. */
  private static String ownClassPath() {
    return Stream.of(System.getProperty("java.class.path", "").split(File.pathSeparator))
        .map(p -> Path.of(p).toAbsolutePath().toString())
        .distinct()
        .collect(Collectors.joining(File.pathSeparator));
  }

  /** With the kernel's own classes, which the start script builds beside the toolkit's. */
  private static String kernelClassPath() {
    try {
      Class.forName("org.peft4j.kernel.Launch", false, KernelSpec.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(
          "the kernel is not on the class path\nexpected: peft4j-notebooks\nfix: start from a checkout by ./peft, or add org.peft4j:peft4j-notebooks",
          e);
    }
    return ownClassPath();
  }
}
