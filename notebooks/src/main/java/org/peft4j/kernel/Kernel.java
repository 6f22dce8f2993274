package org.peft4j.kernel;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dflib.jjava.jupyter.channels.ShellReplyEnvironment;
import org.dflib.jjava.jupyter.kernel.BaseKernel;
import org.dflib.jjava.jupyter.kernel.JupyterIO;
import org.dflib.jjava.jupyter.kernel.LanguageInfo;
import org.dflib.jjava.jupyter.kernel.ReplacementOptions;
import org.dflib.jjava.jupyter.kernel.comm.CommManager;
import org.dflib.jjava.jupyter.kernel.display.DisplayData;
import org.dflib.jjava.jupyter.kernel.display.Renderer;
import org.dflib.jjava.jupyter.kernel.history.HistoryManager;
import org.dflib.jjava.jupyter.kernel.magic.MagicParser;
import org.dflib.jjava.jupyter.kernel.magic.MagicTranspiler;
import org.dflib.jjava.jupyter.kernel.magic.MagicsRegistry;
import org.dflib.jjava.jupyter.kernel.util.StringStyler;
import org.dflib.jjava.jupyter.messages.Message;
import org.dflib.jjava.jupyter.messages.MessageType;
import org.dflib.jjava.jupyter.messages.publish.PublishError;
import org.dflib.jjava.jupyter.messages.publish.PublishExecuteInput;
import org.dflib.jjava.jupyter.messages.publish.PublishExecuteResult;
import org.dflib.jjava.jupyter.messages.reply.ErrorReply;
import org.dflib.jjava.jupyter.messages.reply.ExecuteReply;
import org.dflib.jjava.jupyter.messages.request.ExecuteRequest;
import org.jspecify.annotations.Nullable;
import org.peft4j.notebook.Display;
import org.peft4j.notebook.Rendering;
import org.peft4j.shell.Completions;
import org.peft4j.shell.Documented;
import org.peft4j.shell.Failure;
import org.peft4j.shell.Feedback;
import org.peft4j.shell.Outcome;
import org.peft4j.shell.Session;

/** Answers what a notebook asks with a {@link Session}. */
final class Kernel extends BaseKernel {
  private static final String NAME = "peft4j";

  private final Session session;
  private final PageDisplay display = new PageDisplay();
  private final CellStreams streams = new CellStreams();
  private final CellInput input = new CellInput();

  Kernel(Session session) {
    super(
        NAME,
        version(),
        new LanguageInfo.Builder("Java")
            .version(Runtime.version().toString())
            .mimetype("text/x-java-source")
            .fileExtension(".jshell")
            .pygments("java")
            .codemirror("text/x-java")
            .build(),
        List.of(),
        new HistoryManager() {},
        new JupyterIO(StandardCharsets.UTF_8),
        new CommManager(),
        new Renderer(),
        new MagicParser("", "", new MagicTranspiler()),
        new MagicsRegistry(),
        false,
        new StringStyler.Builder().build());
    this.session = session;
  }

  private static String version() {
    String version = Kernel.class.getPackage().getImplementationVersion();
    return version == null ? "0" : version;
  }

  Display display() {
    return display;
  }

  @Override
  public String getBanner() {
    return "peft4j, Java " + Runtime.version();
  }

  @Override
  protected synchronized void handleExecuteRequest(
      ShellReplyEnvironment env, Message<ExecuteRequest> message) {
    ExecuteRequest request = message.getContent();
    int count = request.isSilent() ? executionCount.get() : executionCount.getAndIncrement();
    env.setBusyDeferIdle();
    if (!request.isSilent()) {
      env.publish(new PublishExecuteInput(request.getCode(), count));
    }
    display.begin(env);
    streams.begin(env);
    input.begin(request.isStdinEnabled() ? () -> line(env) : null);
    Failure failure;
    DisplayData result = null;
    try {
      Outcome outcome = session.evaluate(request.getCode(), this::note);
      failure = outcome.failure();
      result = request.isSilent() ? null : shown(outcome);
    } catch (RuntimeException | Error e) {
      failure =
          new Failure(
              Failure.Kind.EXCEPTION, e.getClass().getSimpleName(), Failure.sentence(e), 0, "");
    } finally {
      streams.end();
    }
    if (result != null) {
      env.publish(new PublishExecuteResult(count, result));
    }
    if (failure == null) {
      env.defer().reply(new ExecuteReply(count, Map.of()));
    } else {
      List<String> lines = lines(failure, request.getCode());
      ErrorReply reply = new ErrorReply(failure.name(), failure.message(), lines);
      reply.setExecutionCount(count);
      env.publish(new PublishError(failure.name(), failure.message(), lines));
      env.defer().replyError(MessageType.EXECUTE_REPLY.error(), reply);
    }
  }

  /** A line that somebody types on the page, below what the cell has printed so far. */
  private String line(ShellReplyEnvironment env) {
    streams.end();
    return env.readFromStdIn("", /* isPassword= */ false);
  }

  /**
   * What a snippet has to say without a value: what a command answers, or that names are missing.
   */
  private void note(Feedback f) {
    boolean tells =
        f.name() == null && !f.isExpression() && !f.text().isEmpty() && !isPlain(f.text());
    if (tells) {
      System.out.println(f.text());
    }
  }

  private static boolean isPlain(String text) {
    return text.startsWith("created ") && !text.contains("however");
  }

  private static @Nullable DisplayData shown(Outcome outcome) {
    Feedback result = outcome.result();
    return result == null ? null : PageDisplay.data(Rendering.of(result.value()));
  }

  private static List<String> lines(Failure failure, String code) {
    List<String> lines = new ArrayList<>(failure.message().lines().toList());
    List<String> source = code.lines().toList();
    boolean hasPlace =
        failure.kind() == Failure.Kind.EXCEPTION
            && failure.line() > 0
            && failure.line() <= source.size();
    if (hasPlace) {
      lines.add("  in line " + failure.line() + ": " + source.get(failure.line() - 1).strip());
      lines.add("  (%trace in a cell shows where it came from)");
    }
    return lines;
  }

  @Override
  public @Nullable Object evalRaw(String code) {
    Feedback result = session.evaluate(code).result();
    return result == null ? null : result.value();
  }

  @Override
  public @Nullable DisplayData inspect(String code, int at, boolean extraDetail) {
    List<Documented> found = session.inspect(code, units(code, at));
    return found.isEmpty()
        ? null
        : new DisplayData(
            found.stream().map(Documented::toString).collect(Collectors.joining("\n\n")));
  }

  @Override
  public ReplacementOptions complete(String code, int at) {
    Completions c = session.complete(code, units(code, at));
    return new ReplacementOptions(
        c.texts(), code.codePointCount(0, c.from()), code.codePointCount(0, c.to()));
  }

  /** The protocol counts characters, Java counts halves of some of them. */
  private static int units(String code, int characters) {
    int all = code.codePointCount(0, code.length());
    return code.offsetByCodePoints(0, Math.max(0, Math.min(characters, all)));
  }

  @Override
  public String isComplete(String code) {
    return switch (session.completeness(code)) {
      case COMPLETE -> IS_COMPLETE_YES;
      case INVALID -> IS_COMPLETE_BAD;
      case INCOMPLETE -> "  ";
    };
  }

  @Override
  public void interrupt() {
    session.interrupt();
  }

  @Override
  public void onShutdown(boolean isRestarting) {
    session.interrupt();
  }
}
