package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Json;

/** Kernels as Jupyter finds them. */
@Tag("notebook")
public class KernelSpecTest {
  @TempDir Path dir;

  private Path file() {
    return dir.resolve("kernels").resolve("peft4j").resolve("kernel.json");
  }

  @Test
  void the_kernel_is_written_and_written_anew_and_removed() throws Exception {
    KernelSpec spec = new KernelSpec(KernelSpec.Kind.PEFT4J, dir);
    assertThat(spec.install()).contains(file().getParent().toString());
    Map<String, ?> written = Json.read(file());
    List<?> command = (List<?>) written.get("argv");
    assertThat(command.toString()).contains("org.peft4j.kernel.Launch, {connection_file}");
    assertThat(Path.of((String) command.get(0))).exists();
    assertThat(written.get("interrupt_mode")).isEqualTo("message");
    String classPath = (String) command.get(command.indexOf("-cp") + 1);
    assertThat(classPath.split(java.io.File.pathSeparator)).doesNotHaveDuplicates();

    Files.writeString(file(), "of an older version");
    spec.install();
    assertThat(Json.read(file())).isEqualTo(written);

    assertThat(spec.uninstall()).contains("removed");
    assertThat(file().getParent()).doesNotExist();
    assertThat(spec.uninstall()).contains("no kernel 'peft4j'");
  }

  /** The command that starts a kernel, with this connection file. */
  public static List<String> command(String kind, Path connection) throws Exception {
    KernelSpec.Kind k = KernelSpec.Kind.valueOf(kind);
    new KernelSpec(k, connection.getParent()).install();
    try (Stream<Path> files = Files.walk(connection.getParent())) {
      Path spec = files.filter(f -> f.endsWith("kernel.json")).findFirst().orElseThrow();
      return ((List<?>) Json.read(spec).get("argv"))
          .stream()
              .map(a -> a.equals("{connection_file}") ? connection.toString() : (String) a)
              .toList();
    }
  }

  @Test
  void other_kernels_are_those_our_adapters_are_compiled_against() throws Exception {
    String pom = Files.readString(Path.of(System.getProperty("peft4j.root"), "pom.xml"));
    assertThat(pom)
        .contains("<kotlin-kernel.version>" + KernelSpec.KOTLIN_KERNEL + "<")
        .contains("<rapaio-kernel.version>" + KernelSpec.RAPAIO_KERNEL + "<");
  }
}
