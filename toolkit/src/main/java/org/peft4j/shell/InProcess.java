package org.peft4j.shell;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import jdk.jshell.execution.LocalExecutionControl;
import org.jspecify.annotations.Nullable;
import org.peft4j.notebook.Excerpt;

/**
 * Runs snippets in this process, so that they share the toolkit's classes and native memory, and
 * keeps the value of each as an object. JShell makes a thread for every snippet; one that stays
 * does the work, as native libraries keep memory for each thread that calls them.
 */
final class InProcess extends LocalExecutionControl {
  private static final int STOPS_BY_INSTRUMENTS = 20; // from this JDK on, Thread.stop is gone
  private static final InheritableThreadLocal<@Nullable Run> CURRENT =
      new InheritableThreadLocal<>();
  private static final Method BEGIN;

  static {
    try {
      BEGIN = InProcess.class.getDeclaredMethod("begin");
      BEGIN.setAccessible(true); // JShell's classes call it
    } catch (NoSuchMethodException e) {
      throw new AssertionError(e);
    }
  }

  /** One snippet at work, and what came of it. */
  static final class Run {
    private final InProcess control;
    private final Method snippet;
    private volatile @Nullable Thread thread;
    @Nullable Object value;
    String text = "";
    @Nullable Throwable thrown;

    private Run(InProcess control, Method snippet) {
      this.control = control;
      this.snippet = snippet;
    }
  }

  private final String own;
  private final Map<String, Set<String>> holders = new HashMap<>();
  private volatile @Nullable Run running;

  /** Not that of JShell's thread: JShell waits until all threads in its group have ended. */
  private final ThreadGroup group = Thread.currentThread().getThreadGroup();

  private final ExecutorService worker =
      Executors.newSingleThreadExecutor(
          r -> {
            Thread t = new Thread(group, r, "snippets");
            t.setDaemon(true);
            return t;
          });
  private volatile boolean refuses;
  private @Nullable Run last;
  private @Nullable String found;
  private boolean finding;

  /**
   * @param own class path whose classes the process has already
   */
  InProcess(String own) {
    this.own = own;
  }

  @Override
  public void addToClasspath(String path)
      throws EngineTerminationException, InternalException, NotImplementedException {
    if (!path.equals(own)) {
      super.addToClasspath(path);
    }
  }

  @Override
  public void load(ClassBytecodes[] classes)
      throws ClassInstallException, NotImplementedException, EngineTerminationException {
    super.load(classes);
    for (ClassBytecodes c : classes) {
      for (Field f : fields(c.name())) {
        if (Modifier.isStatic(f.getModifiers()) && !f.getType().isPrimitive()) {
          holders.computeIfAbsent(f.getName(), n -> new HashSet<>()).add(c.name());
        }
      }
    }
  }

  private Field[] fields(String className) {
    try {
      return findClass(className).getDeclaredFields();
    } catch (ClassNotFoundException | LinkageError e) {
      return new Field[0];
    }
  }

  @Override
  protected String invoke(Method snippet) throws Exception {
    Run run = new Run(this, snippet);
    last = run;
    CURRENT.set(run);
    running = run;
    try {
      super.invoke(BEGIN);
    } finally {
      running = null;
      CURRENT.remove();
    }
    return run.text;
  }

  /** What JShell calls, in a thread that it makes for it, in place of the snippet. */
  @SuppressWarnings("unused") // by reflection
  static void begin() throws Throwable {
    Run run = CURRENT.get();
    CURRENT.remove(); // not for threads that the snippet starts
    if (run == null) {
      throw new IllegalStateException("a snippet was started out of its order");
    }
    Future<?> end = run.control.worker.submit(() -> run.control.run(run));
    while (true) {
      try {
        end.get();
        return;
      } catch (ExecutionException e) {
        throw e.getCause() == null ? e : e.getCause();
      } catch (InterruptedException e) {
        // meant for the snippet, which hears of it by itself
      }
    }
  }

  private @Nullable Void run(Run run) throws Exception {
    Thread thread = Thread.currentThread();
    thread.setContextClassLoader(run.snippet.getDeclaringClass().getClassLoader());
    run.thread = thread;
    try {
      if (refuses) { // asked while the snippet was compiled
        throw new InterruptedException();
      }
      run.value = run.snippet.invoke(null);
      run.text = text(run.value);
      return null;
    } catch (InvocationTargetException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      run.thrown = cause;
      if (cause instanceof Error error) {
        throw error;
      }
      throw cause instanceof Exception x ? x : e;
    } catch (RuntimeException | InterruptedException | Error e) { // of toString, for the most part
      run.thrown = e;
      throw e;
    } finally {
      run.thread = null;
    }
  }

  /** As JShell writes it, but for what is too long to be read: it would take its time. */
  private static String text(@Nullable Object value) {
    Object excerpt = Excerpt.of(value);
    String text = valueString(excerpt);
    if (excerpt == value || value == null) {
      return text;
    }
    return value.getClass().isArray()
        ? text.replaceFirst("\\[\\d+]", "[" + Array.getLength(value) + "]")
            .replaceFirst(" }$", ", ... }")
        : text + " ...";
  }

  /** What the last snippet came to; handed out once, so that nothing is held here. */
  @Nullable Run takeLast() {
    Run run = last;
    last = null;
    return run;
  }

  @Override
  public void close() {
    worker.shutdownNow();
    super.close();
  }

  /** Whether snippets that begin now end at once. */
  void refuse(boolean all) {
    refuses = all;
  }

  /** The thread of the snippet at work, or null. */
  @Nullable Thread thread() {
    Run run = running;
    return run == null ? null : run.thread;
  }

  /**
   * Ends the snippet at work wherever it is. On JDK 20 and newer only where its own code goes round
   * a loop or calls a method; what it has called must come back first.
   */
  @Override
  @SuppressWarnings({"removal", "deprecation", "ThreadStop"})
  public void stop() throws EngineTerminationException, InternalException {
    Thread t = thread();
    if (t == null) {
      return;
    }
    if (Runtime.version().feature() >= STOPS_BY_INSTRUMENTS) {
      super.stop();
      t.interrupt();
    } else {
      t.stop(); // not the whole group: libraries start threads of theirs in it
    }
  }

  @Override
  public String varValue(String className, String name)
      throws RunException, EngineTerminationException, InternalException {
    if (finding) {
      found = className;
      return "";
    }
    return super.varValue(className, name);
  }

  /**
   * Lets go of what earlier declarations of a variable hold: JShell gives each declaration a class
   * with a static field, and keeps those classes.
   *
   * @param read asks JShell for the value of the variable now, or is null where it is gone
   */
  void forgetOlder(String variable, @Nullable Runnable read) {
    Set<String> classes = holders.get(variable);
    if (classes == null || (read != null && classes.size() < 2)) {
      return;
    }
    found = null;
    if (read != null) {
      finding = true;
      try {
        read.run();
      } finally {
        finding = false;
      }
      if (found == null) {
        return;
      }
    }
    String current = found;
    classes.removeIf(
        c -> {
          if (c.equals(current)) {
            return false;
          }
          clear(c, variable);
          return true;
        });
  }

  private void clear(String className, String variable) {
    try {
      Field f = findClass(className).getDeclaredField(variable);
      f.setAccessible(true);
      f.set(null, null);
    } catch (ReflectiveOperationException | LinkageError e) {
      throw new IllegalStateException("variable " + variable + " of " + className, e);
    }
  }
}
