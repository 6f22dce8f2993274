package org.peft4j.shell;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Tag("fast")
@Timeout(300)
class SessionTest {
  private static Session session;

  @TempDir Path dir;

  @BeforeAll
  static void open() {
    session = Session.open();
  }

  @AfterAll
  static void close() {
    session.close();
  }

  private static Failure failure(String code) {
    Failure f = session.evaluate(code).failure();
    assertThat(f).as(code).isNotNull();
    return f;
  }

  @Test
  void a_cell_is_many_snippets_and_ends_in_a_value() {
    Outcome o = session.evaluate("var xs = List.of(1, 2);\nint n = 3; // three\nxs");
    assertThat(o.failure()).isNull();
    assertThat(o.result().value()).isEqualTo(List.of(1, 2));
    assertThat(o).hasToString("xs ==> [1, 2]\nn ==> 3\nxs ==> [1, 2]\n");
  }

  @Test
  void declarations_and_assignments_are_no_results() {
    assertThat(session.evaluate("int k = 3").result()).isNull();
    assertThat(session.evaluate("k = 4").result()).isNull();
    assertThat(session.evaluate("k + 1").result().value()).isEqualTo(5);
  }

  @Test
  void of_long_values_the_beginning_is_written() {
    assertThat(text("new byte[1_000_000]"))
        .startsWith("byte[1000000] { 0, 0, ")
        .endsWith(", 0, ... }")
        .hasSizeLessThan(1000);
    assertThat(text("new int[][] {{1, 2}, {3}}"))
        .isEqualTo("int[2][] { int[2] { 1, 2 }, int[1] { 3 } }");
    assertThat(text("new float[300][300]"))
        .startsWith("float[300][] { float[100] {")
        .endsWith("... }");
    assertThat(text("\"a\".repeat(200_000)")).endsWith("a\" ...").hasSizeLessThan(110_000);
  }

  private static String text(String code) {
    return Objects.requireNonNull(session.evaluate(code).result()).text();
  }

  @Test
  void classes_are_those_of_this_process() {
    Object value = session.evaluate("org.peft4j.model.Dtype.BF16").result().value();
    assertThat(value).isSameAs(org.peft4j.model.Dtype.BF16);
  }

  /** JShell waits for the threads of its own group, and this one never ends. */
  @Test
  void snippets_run_outside_of_the_group_that_jshell_waits_for() {
    try (Session fresh = Session.open()) {
      Object group = fresh.evaluate("Thread.currentThread().getThreadGroup()").result().value();
      assertThat(group).isSameAs(Thread.currentThread().getThreadGroup());
    }
  }

  @Test
  void compile_errors_show_the_line_and_what_was_meant() {
    Failure f = failure("int one = 1;\nvar m = Modls.load(\"minilm\");");
    assertThat(f.kind()).isEqualTo(Failure.Kind.COMPILE);
    assertThat(f.line()).isEqualTo(2);
    assertThat(f.message())
        .contains("symbol:   variable Modls")
        .contains("2 | var m = Modls.load(\"minilm\");\n            ^---^")
        .contains("did you mean Models");
    assertThat(failure("Peft.lorra(null)").message()).contains("did you mean lora");
  }

  @Test
  void names_that_are_missing_are_imported_or_declared_and_packages_corrected() throws Exception {
    while (!failure("LocalTime.now()").message().contains("java.time")) {
      Thread.sleep(100); // until JShell has listed the class path
    }
    assertThat(failure("LocalDate.now()").message()).endsWith("fix: import java.time.LocalDate;");
    assertThat(failure("new AtomicLong()").message())
        .endsWith("fix: import java.util.concurrent.atomic.AtomicLong;");
    assertThat(failure("import java.utl.List;").message()).endsWith("did you mean java.util?");
    assertThat(failure("import org.peft4j.dat.*;").message())
        .endsWith("did you mean org.peft4j.data?");
    assertThat(failure("undefined + 1").message())
        .endsWith("fix: declare undefined, or run the code that does");
  }

  @Test
  void our_exceptions_are_their_message_and_others_have_a_name() {
    assertThat(failure("Models.load(\"minilmm\")").message()).startsWith("no model 'minilmm'");
    Failure f = failure("int zero = 0;\n\n1 / zero");
    assertThat(f.message()).isEqualTo("ArithmeticException: / by zero");
    assertThat(f.line()).isEqualTo(3);
    assertThat(f.trace()).contains("ArithmeticException").doesNotContain("InProcess");
    assertThat(session.trace()).isEqualTo(f.trace());
  }

  @Test
  void methods_may_use_what_comes_later() {
    assertThat(session.evaluate("int twice(int a) { return 2 * half(a); }"))
        .hasToString(
            "created method twice(int), however, it cannot be invoked until method half(int) is declared\n");
    assertThat(failure("twice(4)").message()).contains("not declared");
    assertThat(session.evaluate("int half(int a) { return a / 2; }\ntwice(4)").result().value())
        .isEqualTo(4);
  }

  @Test
  void it_knows_whether_code_is_whole() {
    assertThat(session.completeness("for (int i = 0; i < 3; i++) {"))
        .isEqualTo(Session.Completeness.INCOMPLETE);
    assertThat(session.completeness("int a = 1;\na")).isEqualTo(Session.Completeness.COMPLETE);
    assertThat(session.completeness("// nothing")).isEqualTo(Session.Completeness.COMPLETE);
    assertThat(session.completeness("int ) = 1;")).isEqualTo(Session.Completeness.INVALID);
    assertThat(failure("int f(").kind()).isEqualTo(Failure.Kind.INCOMPLETE);
  }

  @Test
  void names_are_completed_in_their_snippet() {
    String code = "int a = 1;\nPeft.lor";
    Completions c = session.complete(code, code.length());
    assertThat(c.texts()).contains("lora(");
    assertThat(code.substring(c.from(), c.to())).isEqualTo("lor");
    assertThat(session.complete("%ma", 3).texts()).containsExactly("%maven");
  }

  @Test
  void inspection_gives_signatures_and_comments() {
    List<Documented> lora = session.inspect("Peft.lora(model)", 7);
    assertThat(lora)
        .extracting(Documented::signature)
        .contains("Lora.Options<Tuned> Peft.lora(Block model)");
    assertThat(lora.get(0).text()).contains("Low-rank adaptation");
    assertThat(session.inspect("Models", 6).get(0).toString()).contains("Models").contains("\n");
    assertThat(session.inspect("", 0)).isEmpty();
  }

  @Test
  void commands_are_the_same_with_either_sign() throws Exception {
    assertThat(session.evaluate("%help").toString()).contains("%maven").contains("%trace");
    assertThat(session.evaluate("/imports").toString()).contains("import org.peft4j.*;");
    assertThat(failure("%mavn a:b:1").message()).contains("fix: %maven");
    assertThat(failure("%jar " + dir.resolve("none.jar")).message()).contains("not there");
  }

  @Test
  void what_is_added_can_be_used_from_then_on() throws Exception {
    Path folder = Files.createDirectories(dir.resolve("added"));
    Path source =
        Files.writeString(
            folder.resolve("Six.java"),
            "package added; public class Six { public static int times(int n) { return 6 * n; } }");
    assertThat(
            ToolProvider.getSystemJavaCompiler()
                .run(null, null, null, "-d", folder.toString(), source.toString()))
        .isZero();
    try (Session own = Session.open()) {
      assertThat(Objects.requireNonNull(own.evaluate("import added.Six;").failure()).message())
          .contains("fix: %maven");
      assertThat(
              own.evaluate("%jar " + folder + "\nimport added.Six;\nSix.times(7)").result().value())
          .isEqualTo(42);
      assertThat(own.evaluate("Models.load(\"minilm\").close()").failure()).isNull();
    }
  }

  @Test
  void an_endless_loop_is_stopped_and_the_session_goes_on() throws Exception {
    session.evaluate("int before = 7;");
    Failure f = interruptedAfter("Thread.sleep(1); while (true);");
    assertThat(f.kind()).isEqualTo(Failure.Kind.INTERRUPTED);
    assertThat(session.evaluate("before").result().value()).isEqualTo(7);
  }

  @Test
  void code_that_waits_ends_at_once_and_what_follows_is_not_run() throws Exception {
    Failure f = interruptedAfter("Thread.sleep(1_000_000);\nint never = 1;");
    assertThat(f.kind()).isEqualTo(Failure.Kind.INTERRUPTED);
    assertThat(failure("never").message()).contains("cannot find symbol");
  }

  private static Failure interruptedAfter(String code) throws InterruptedException {
    Thread asker =
        new Thread(
            () -> {
              try {
                Thread.sleep(1500);
              } catch (InterruptedException e) {
                return;
              }
              session.interrupt();
            });
    asker.start();
    Failure f = failure(code);
    asker.join();
    return f;
  }

  @Test
  void a_notebook_holds_only_what_its_variables_hold() throws Exception {
    try (Session notebook = Session.forNotebook()) {
      String cell = "var big = new Object[]{1};";
      notebook.evaluate(cell);
      WeakReference<Object> first = new WeakReference<>(notebook.evaluate("big").result().value());
      WeakReference<Object> lone =
          new WeakReference<>(notebook.evaluate("new Object[]{2}").result().value());
      notebook.evaluate(cell);
      assertThat(isCollected(first)).as("the earlier value of a variable").isTrue();
      assertThat(isCollected(lone)).as("the value of an expression").isTrue();
      assertThat(notebook.evaluate("big[0]").result().value()).isEqualTo(1);
    }
  }

  private static boolean isCollected(WeakReference<?> reference) throws InterruptedException {
    for (int i = 0; i < 50 && reference.get() != null; i++) {
      System.gc();
      Thread.sleep(20);
    }
    return reference.get() == null;
  }
}
