package org.peft4j.ipynb;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.notebook.Display;
import org.peft4j.notebook.Displays;
import org.peft4j.notebook.Rendering;
import org.peft4j.notebook.Rich;

/**
 * A notebook that has been run, with what its cells showed: what was updated once, as it was in the
 * end.
 */
public final class Execution {
  /**
   * A cell that was run.
   *
   * @param outputs none for text
   * @param seconds 0 for text
   */
  public record Ran(Ipynb.Cell cell, List<Rich> outputs, double seconds) {
    public Ran {
      outputs = List.copyOf(outputs);
    }
  }

  private final Ipynb notebook;
  private final List<Ran> cells;

  private Execution(Ipynb notebook, List<Ran> cells) {
    this.notebook = notebook;
    this.cells = List.copyOf(cells);
  }

  /**
   * Runs all cells. Meanwhile what is shown and printed in this process goes to the outputs.
   *
   * @throws IllegalStateException for the first cell that fails, with its code
   */
  public static Execution of(Ipynb notebook, Evaluator evaluator) {
    List<Ran> done = new ArrayList<>();
    for (Ipynb.Cell cell : notebook.cells()) {
      done.add(cell.isCode() ? run(notebook, cell, evaluator) : new Ran(cell, List.of(), 0));
    }
    return new Execution(notebook, done);
  }

  private static Ran run(Ipynb notebook, Ipynb.Cell cell, Evaluator evaluator) {
    Outputs outputs = new Outputs();
    PrintStream terminal = System.out;
    long start = System.nanoTime();
    Displays.use(outputs);
    System.setOut(outputs.stream());
    try {
      Object value = evaluator.run(cell.source());
      if (value != null) {
        outputs.show(Rendering.of(value));
      }
    } catch (Exception e) {
      throw new IllegalStateException(
          "a cell of " + notebook.name() + " fails: " + e.getMessage() + "\n" + cell.source(), e);
    } finally {
      System.setOut(terminal);
      Displays.use(null);
    }
    return new Ran(cell, outputs.all(), (System.nanoTime() - start) / 1e9);
  }

  public Ipynb notebook() {
    return notebook;
  }

  public List<Ran> cells() {
    return cells;
  }

  /** Everything that was shown, in order. */
  public List<Rich> outputs() {
    return cells.stream().flatMap(c -> c.outputs().stream()).toList();
  }

  /** Seconds of all cells. */
  public double seconds() {
    return cells.stream().mapToDouble(Ran::seconds).sum();
  }

  /** What one cell shows. */
  private static final class Outputs implements Display {
    private final Map<String, Rich> shown = new LinkedHashMap<>();
    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();

    PrintStream stream() {
      return new PrintStream(printed, true, StandardCharsets.UTF_8);
    }

    @Override
    public synchronized void show(Rich content) {
      flush();
      shown.put("#" + shown.size(), content);
    }

    @Override
    public synchronized void update(String id, Rich content) {
      flush();
      shown.put(id, content);
    }

    @Override
    public boolean isRich() {
      return true;
    }

    private void flush() {
      String text = printed.toString(StandardCharsets.UTF_8);
      printed.reset();
      if (!text.isEmpty()) {
        shown.put("#" + shown.size(), Rich.text(text));
      }
    }

    synchronized List<Rich> all() {
      flush();
      return List.copyOf(shown.values());
    }
  }
}
