package org.peft4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A kernel in a process of its own, and cells that train a real model in it. */
@Tag("model")
@Timeout(900)
class TrainingCellsTest {
  private static final long MEGABYTE = 1 << 20;

  @TempDir static Path dir;

  private static Process kernel;
  private static Client client;

  @BeforeAll
  static void start() throws Exception {
    Client.Ports ports = new Client.Ports("127.0.0.1");
    Path file = Files.writeString(dir.resolve("connection.json"), ports.json());
    // the heap is all resident from the start, so what grows is native
    kernel = ProtocolTest.launch(file, "-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch");
    client = new Client(ports);
    client.awaitReady();
    String rows =
        "var rows = Examples.of(List.of(\"a large cat\", \"a small dog\", \"the state of being cold\","
            + " \"an act of kindness\"), List.of(\"animal\", \"animal\", \"state\", \"act\"));";
    assertThat(client.execute(rows).of("error")).isEmpty();
  }

  @AfterAll
  static void stop() throws Exception {
    client.close();
    kernel.destroyForcibly().waitFor();
  }

  @Test
  void an_interrupt_ends_training_after_its_step_and_keeps_what_was_learned() throws Exception {
    Client.Answer ready =
        client.execute(
            "var model = Models.load(\"minilm\").classify(rows.labels());\n"
                + "var tuned = Peft.lora(model).rank(2).targets(\"q\").apply();");
    assertThat(ready.of("error")).isEmpty();
    String id =
        client.send(
            client.shell,
            "execute_request",
            Client.code(
                "System.out.println(\"go\");\nvar fit = tuned.fit(rows).epochs(1_000_000).quiet().run();"));
    Client.Received r = client.read(client.iopub);
    while (!(r.parent().equals(id) && r.type().equals("stream"))) {
      r = client.read(client.iopub);
    }
    Thread.sleep(5000);
    client.send(client.control, "interrupt_request", Map.of());
    assertThat(client.await(client.shell, id).reply().get("status")).isEqualTo("ok");
    Client.Answer ending = client.execute("fit.ending() + \" \" + (fit.steps().size() > 0)");
    assertThat(ending.of("execute_result").get(0).data().get("text/plain"))
        .isEqualTo("INTERRUPTED true");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void fifty_times_the_same_cell_leaves_nothing_behind() throws Exception {
    String cell =
        """
        var model = Models.load("minilm").classify(rows.labels());
        var tuned = Peft.lora(model).rank(8).targets("q", "v").apply();
        var fit = tuned.fit(rows).epochs(2).batchSize(2).quiet().run();
        var merged = tuned.merge();
        Models.evaluate(merged, rows)
        """;
    run(cell, 15);
    long before = settled();
    run(cell, 35);
    long growth = settled() - before;
    System.out.printf("50 cells: %+d MB resident%n", growth / MEGABYTE);
    assertThat(growth)
        .as("bytes after 35 more runs; a model left by each would be 35 x 90 MB")
        .isLessThan(300 * MEGABYTE);
  }

  private static void run(String cell, int times) throws Exception {
    for (int i = 1; i <= times; i++) {
      assertThat(client.execute(cell).of("error")).isEmpty();
      if (i % 5 == 0) {
        client.execute("System.gc();"); // as it comes by itself in a busy notebook
      }
    }
  }

  /**
   * The least that stays resident: a cleaner frees what is not reachable, some time after a
   * collection.
   */
  private static long settled() throws Exception {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 20; i++) {
      client.execute("System.gc(); Thread.sleep(100);");
      least = Math.min(least, resident());
    }
    return least;
  }

  private static long resident() throws Exception {
    return Files.readAllLines(Path.of("/proc/" + kernel.pid() + "/status")).stream()
        .filter(l -> l.startsWith("VmRSS:"))
        .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) * 1024)
        .findFirst()
        .orElseThrow();
  }
}
