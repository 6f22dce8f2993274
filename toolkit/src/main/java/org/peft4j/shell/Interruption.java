package org.peft4j.shell;

import java.time.Duration;
import jdk.jshell.spi.ExecutionControl.EngineTerminationException;
import jdk.jshell.spi.ExecutionControl.InternalException;
import org.jspecify.annotations.Nullable;

/** How a snippet at work is made to end: asked first, made to after a while. */
final class Interruption implements AutoCloseable {
  private static final Duration GRACE = Duration.ofSeconds(2);
  private static final Duration LOOK = Duration.ofMillis(100);
  private static final String TRAINING = "org.peft4j.train.";

  private final InProcess control;
  private int asked;
  private boolean stopped;
  private @Nullable Thread watcher;

  Interruption(InProcess control) {
    this.control = control;
  }

  /** Before an evaluation. */
  synchronized void reset() {
    asked = 0;
    stopped = false;
    control.refuse(false);
  }

  synchronized boolean isAsked() {
    return asked > 0;
  }

  synchronized boolean hasStopped() {
    return stopped;
  }

  /** Once: interrupts, and stops what has not ended after a while. Twice: stops at once. */
  synchronized void ask() {
    asked++;
    control.refuse(true);
    Thread thread = control.thread();
    if (thread == null) {
      return; // between two snippets, or nothing is going on
    }
    if (asked > 1) {
      stop(thread);
      return;
    }
    thread.interrupt();
    watcher = new Thread(() -> watch(thread), "interruption");
    watcher.setDaemon(true);
    watcher.start();
  }

  private void watch(Thread thread) {
    long until = System.nanoTime() + GRACE.toNanos();
    try {
      while (control.thread() == thread) {
        if (System.nanoTime() > until && !isTraining(thread)) {
          stop(thread);
          return;
        }
        Thread.sleep(LOOK.toMillis());
      }
    } catch (InterruptedException e) {
      // the session is closed
    }
  }

  /** Training sees the interrupt after its step, and its result is worth the wait. */
  private static boolean isTraining(Thread thread) {
    for (StackTraceElement frame : thread.getStackTrace()) {
      if (frame.getClassName().startsWith(TRAINING)) {
        return true;
      }
    }
    return false;
  }

  private synchronized void stop(Thread thread) {
    if (control.thread() != thread) {
      return;
    }
    stopped = true;
    try {
      control.stop();
    } catch (EngineTerminationException | InternalException e) {
      throw new IllegalStateException("cannot stop the code that runs", e);
    }
  }

  @Override
  public synchronized void close() {
    if (watcher != null) {
      watcher.interrupt();
    }
  }
}
