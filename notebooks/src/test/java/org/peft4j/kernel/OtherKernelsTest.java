package org.peft4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.cli.KernelSpecTest;
import org.peft4j.kernel.Client.Answer;

/**
 * Kernels of others, started as we tell Jupyter to, show what ours shows. Left out of the build by
 * its tag: what they do at their start is theirs.
 */
@Tag("kernels")
@Timeout(1200)
class OtherKernelsTest {
  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "RAPAIO | import org.peft4j.notebook.*; | Charts.bars(\"b\").bar(\"x\", 1)",
        "KOTLIN | val one = 1 | bars(\"b\", \"x\" to one)",
      })
  void values_charts_and_what_is_shown_have_their_forms(String kind, String first, String chart)
      throws Exception {
    Client.Ports ports = new Client.Ports("127.0.0.1");
    Path file = Files.writeString(dir.resolve("connection.json"), ports.json());
    Path log = dir.resolve("log");
    Process kernel =
        new ProcessBuilder(KernelSpecTest.command(kind, file))
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    try (Client c = new Client(ports)) {
      c.awaitReady();
      assertThat(c.execute(first).reply().get("status")).as(Files.readString(log)).isEqualTo("ok");
      Answer value = c.execute("Table.of(\"name\").row(\"<value>\")");
      assertThat(value.of("execute_result")).hasSize(1);
      assertThat((String) value.of("execute_result").get(0).data().get("text/html"))
          .contains("&lt;value&gt;");
      assertThat(c.execute(chart).of("execute_result").get(0).data().keySet().toString())
          .contains("image/png", "image/svg+xml", "text/plain");
      Answer shown = c.execute("Show.it(" + chart + ")");
      assertThat(shown.of("display_data").get(0).data().keySet().toString()).contains("image/png");
    } finally {
      kernel.destroyForcibly().waitFor();
    }
  }
}
