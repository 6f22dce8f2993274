package org.peft4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.dflib.jjava.jupyter.kernel.KernelConnectionProperties;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.kernel.Client.Answer;
import org.peft4j.notebook.Displays;
import org.peft4j.shell.Session;

/** The kernel as a notebook sees it. */
@Tag("notebook")
@Timeout(600)
class ProtocolTest {
  private static final PrintStream OUT = System.out;
  private static final PrintStream ERR = System.err;
  private static Client.Ports ports;
  private static Session session;
  private static Connection connection;
  private static Client client;

  @TempDir Path dir;

  @BeforeAll
  static void start() throws Exception {
    ports = new Client.Ports("127.0.0.1");
    session = Session.forNotebook();
    connection = new Connection(KernelConnectionProperties.parse(ports.json()));
    Kernel kernel = new Kernel(session);
    Displays.use(kernel.display());
    kernel.becomeHandlerForConnection(connection);
    connection.connect();
    client = new Client(ports);
    client.awaitReady();
  }

  @AfterAll
  static void stop() {
    System.setOut(OUT);
    System.setErr(ERR);
    Displays.use(null);
    client.close();
    connection.close();
    session.close();
  }

  private static String text(Answer a) {
    assertThat(a.of("error")).as("errors").isEmpty();
    assertThat(a.of("execute_result")).hasSize(1);
    return (String) a.of("execute_result").get(0).data().get("text/plain");
  }

  @Test
  void it_says_what_it_is() {
    Answer a = client.ask(client.shell, "kernel_info_request", Map.of());
    assertThat(a.reply().get("implementation")).isEqualTo("peft4j");
    assertThat(a.reply().get("language_info")).extracting("name").isEqualTo("Java");
    assertThat(client.beats()).isTrue();
  }

  @Test
  void a_cell_prints_and_has_a_result() {
    Answer a =
        client.execute(
            "System.out.print(\"Grüße \"); System.err.println(\"!\");\nint a = 20;\na + 22");
    assertThat(text(a)).isEqualTo("42");
    assertThat(a.stream("stdout")).isEqualTo("Grüße ");
    assertThat(a.stream("stderr")).isEqualTo("!\n");
    assertThat(a.reply().get("status")).isEqualTo("ok");
    assertThat(a.of("execute_input").get(0).get("code")).asString().contains("a + 22");
    assertThat(client.execute("int b = 1;").of("execute_result")).isEmpty();
  }

  @Test
  void output_comes_while_the_cell_runs() {
    String id =
        client.send(
            client.shell,
            "execute_request",
            Client.code("System.out.print(\"first\"); Thread.sleep(60_000);"));
    Client.Received r = client.read(client.iopub);
    while (!(r.parent().equals(id) && r.type().equals("stream"))) {
      r = client.read(client.iopub);
    }
    assertThat(r.get("text")).isEqualTo("first");
    client.send(client.control, "interrupt_request", Map.of());
    assertThat(client.await(client.shell, id).reply().get("ename")).isEqualTo("Interrupted");
    client.read(client.control);
  }

  @Test
  void values_have_html_and_displays_are_updated_in_place() {
    Answer a =
        client.execute(
            """
            import org.peft4j.notebook.*;
            Displays.current().update("p", Rich.text("0 %"));
            Displays.current().update("p", Rich.text("100 %").with(Rich.HTML, "<b>100</b>"));
            Displays.current().show(Rich.text("pixel").with(Rich.PNG, new byte[] {1, 2}));
            Rich.text("x").with(Rich.HTML, "<i>x</i>")
            """);
    assertThat(a.of("error")).isEmpty();
    assertThat(a.of("display_data")).hasSize(2);
    assertThat(a.of("display_data").get(0).get("transient")).isEqualTo(Map.of("display_id", "p"));
    assertThat(a.of("update_display_data")).hasSize(1);
    assertThat(a.of("update_display_data").get(0).data().get("text/html")).isEqualTo("<b>100</b>");
    assertThat(a.of("display_data").get(1).data().get("image/png")).isEqualTo("AQI=");
    assertThat(a.of("execute_result").get(0).data().get("text/html")).isEqualTo("<i>x</i>");
  }

  private static final String READS =
      "System.out.print(\"name? \");\nnew java.util.Scanner(System.in).nextLine() + \"!\"";

  /** The id of a cell that is asking. */
  private static String asking() {
    Map<String, Object> cell = Client.code(READS);
    cell.put("allow_stdin", true);
    String id = client.send(client.shell, "execute_request", cell);
    assertThat(client.read(client.stdin).type()).isEqualTo("input_request");
    return id;
  }

  @Test
  void a_cell_reads_what_is_typed_on_the_page() {
    String id = asking();
    client.send(client.stdin, "input_reply", Map.of("value", "Ada"));
    Answer a = client.await(client.shell, id);
    assertThat(text(a)).isEqualTo("Ada!");
    assertThat(a.stream("stdout")).isEqualTo("name? ");
  }

  @Test
  void a_question_is_interrupted_like_anything_else() {
    String id = asking();
    client.send(client.control, "interrupt_request", Map.of());
    assertThat(client.await(client.shell, id).reply().get("ename")).isEqualTo("Interrupted");
    client.read(client.control);
    assertThat(text(client.execute("2 + 2"))).isEqualTo("4");
    String again = asking();
    client.send(client.stdin, "input_reply", Map.of("value", "Bob"));
    assertThat(text(client.await(client.shell, again))).isEqualTo("Bob!");
  }

  @Test
  void a_page_without_a_reader_says_so() {
    Answer a = client.execute(READS);
    assertThat(a.of("error").get(0).get("evalue")).asString().contains("nobody is there to type");
  }

  @Test
  void errors_are_sentences_that_lead_on() {
    Answer typo = client.execute("int one = 1;\nPeft.lorra(null)");
    assertThat(typo.reply().get("status")).isEqualTo("error");
    assertThat(typo.of("error").get(0).get("evalue"))
        .asString()
        .contains("2 | Peft.lorra(null)")
        .contains("did you mean lora");
    Answer thrown = client.execute("int zero = 0;\none / zero");
    assertThat(thrown.of("error").get(0).get("ename")).isEqualTo("ArithmeticException");
    assertThat(thrown.of("error").get(0).get("traceback"))
        .asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.LIST)
        .contains("ArithmeticException: / by zero", "  in line 2: one / zero");
    assertThat(client.execute("%trace").stream("stdout")).contains("java.lang.ArithmeticException");
    assertThat(text(client.execute("one + 1"))).isEqualTo("2");
  }

  @Test
  void code_is_completed_inspected_and_judged() {
    String code = "// 😀\nPeft.lor";
    int end = code.codePointCount(0, code.length());
    Answer c =
        client.ask(client.shell, "complete_request", Map.of("code", code, "cursor_pos", end));
    assertThat(String.valueOf(c.reply().get("matches"))).contains("lora(");
    assertThat(((Number) c.reply().get("cursor_start")).intValue()).isEqualTo(end - 3);
    Answer i =
        client.ask(
            client.shell,
            "inspect_request",
            Map.of("code", "Peft.lora(x)", "cursor_pos", 7, "detail_level", 0));
    assertThat(i.reply().get("found")).isEqualTo(true);
    assertThat((String) i.reply().data().get("text/plain")).contains("Peft.lora(Block model)");
    Answer nothing =
        client.ask(
            client.shell,
            "inspect_request",
            Map.of("code", "", "cursor_pos", 0, "detail_level", 0));
    assertThat(nothing.reply().get("found")).isEqualTo(false);
    assertThat(isComplete("int f() {")).isEqualTo("incomplete");
    assertThat(isComplete("int x = 1;")).isEqualTo("complete");
    assertThat(isComplete("int ) = 1;")).isEqualTo("invalid");
  }

  private static Object isComplete(String code) {
    return client
        .ask(client.shell, "is_complete_request", Map.of("code", code))
        .reply()
        .get("status");
  }

  @Test
  void an_endless_loop_is_interrupted() throws Exception {
    String id = client.send(client.shell, "execute_request", Client.code("while (true);"));
    Thread.sleep(1000);
    client.send(client.control, "interrupt_request", Map.of());
    assertThat(client.await(client.shell, id).reply().get("ename")).isEqualTo("Interrupted");
    client.read(client.control);
    assertThat(text(client.execute("1 + 1"))).isEqualTo("2");
  }

  @Test
  void comms_are_no_matter() {
    client.send(
        client.shell,
        "comm_open",
        Map.of("comm_id", "x", "target_name", "jupyter.widget", "data", Map.of()));
    Answer a = client.ask(client.shell, "comm_info_request", Map.of());
    assertThat(a.reply().type()).isEqualTo("comm_info_reply");
    assertThat(text(client.execute("2 + 1"))).isEqualTo("3");
  }

  @Test
  void what_is_no_message_or_wrongly_signed_is_dropped() throws Exception {
    byte[][] parts =
        client.parts(
            "forged", "execute_request", Client.code("System.setProperty(\"forged\", \"yes\");"));
    Client.sendFrames(client.shell, "0".repeat(64), parts);
    Client.sendFrames(client.shell, "", parts);
    Client.sendFrames(client.shell, Client.signature("another key", parts), parts);
    byte[] half = Client.utf8("{\"msg_id\": ");
    byte[] none = Client.utf8("{}");
    byte[] list = Client.utf8("[1, 2]");
    for (byte[][] p :
        List.of(
            new byte[][] {half, none, none, none},
            new byte[][] {none, none, none, none},
            new byte[][] {list, list, list, list},
            new byte[][] {parts[0], none, none, half},
            new byte[][] {parts[0], none, none, list},
            new byte[][] {new byte[] {(byte) 0xFF, 0}, none, none, none},
            client.parts("x", "no_such_request", Map.of()),
            client.parts("y", "execute_request", Map.of("silent", 3)))) {
      Client.sendFrames(client.shell, Client.signature(ports.key, p), p);
    }
    client.shell.send("hello");
    client.shell.sendMore("<IDS|MSG>");
    client.shell.send("too few");
    client.control.send(new byte[0]);
    try (Socket raw = new Socket(InetAddress.getLoopbackAddress(), ports.port("shell"))) {
      raw.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    }
    assertThat(text(client.execute("3 + 1"))).isEqualTo("4");
    assertThat(System.getProperty("forged")).isNull();
    Answer info = client.ask(client.control, "kernel_info_request", Map.of());
    assertThat(info.reply().get("status")).isIn("ok", null);
  }

  @Test
  void only_this_machine_reaches_its_ports() throws Exception {
    for (NetworkInterface n : Collections.list(NetworkInterface.getNetworkInterfaces())) {
      for (InetAddress a : Collections.list(n.getInetAddresses())) {
        if (!a.isLoopbackAddress() && !a.isLinkLocalAddress()) {
          try (Socket s = new Socket()) {
            assertThatThrownBy(() -> s.connect(new InetSocketAddress(a, ports.port("shell")), 500))
                .as(a.toString())
                .isInstanceOf(java.io.IOException.class);
          }
        }
      }
    }
    Client.Ports open = new Client.Ports("0.0.0.0");
    assertThatThrownBy(() -> new Connection(KernelConnectionProperties.parse(open.json())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("0.0.0.0")
        .hasMessageContaining("fix: ");
  }

  @Test
  void a_thousand_cells_leave_nothing_behind() throws Exception {
    for (int i = 0; i < 50; i++) {
      client.execute("new byte[1_000_000]");
    }
    int threads = ManagementFactory.getThreadMXBean().getThreadCount();
    long before = heap();
    for (int i = 0; i < 1000; i++) {
      client.execute("new byte[1_000_000]");
    }
    long grown = heap() - before;
    assertThat(ManagementFactory.getThreadMXBean().getThreadCount()).isLessThan(threads + 5);
    // JShell keeps the source and the class of every snippet; one held array of each would be 1 GB
    assertThat(grown).isLessThan(100_000_000);
  }

  private static long heap() throws InterruptedException {
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(100);
    }
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }

  @Test
  void shutdown_ends_the_process_and_it_starts_again_at_the_same_ports() throws Exception {
    Client.Ports own = new Client.Ports("127.0.0.1");
    Path file = Files.writeString(dir.resolve("connection.json"), own.json());
    for (boolean restart : new boolean[] {true, false}) {
      Process kernel = launch(file);
      try (Client c = new Client(own)) {
        c.awaitReady();
        assertThat(text(c.execute("\"up\".length()"))).isEqualTo("2");
        assertThat(c.execute("before").of("error")).as("a new session").hasSize(1);
        c.execute("int before = 1;");
        c.send(c.control, "shutdown_request", Map.of("restart", restart));
        assertThat(c.read(c.control).get("restart")).isEqualTo(restart);
      }
      assertThat(kernel.waitFor(30, TimeUnit.SECONDS)).as("ended").isTrue();
      assertThat(kernel.exitValue()).isZero();
    }
  }

  static Process launch(Path file, String... options) throws java.io.IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(options));
    command.addAll(
        List.of(
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            "org.peft4j.kernel.Launch",
            file.toString()));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .start();
  }
}
