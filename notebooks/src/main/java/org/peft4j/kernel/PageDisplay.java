package org.peft4j.kernel;

import java.util.HashSet;
import java.util.Set;
import org.dflib.jjava.jupyter.channels.ShellReplyEnvironment;
import org.dflib.jjava.jupyter.kernel.display.DisplayData;
import org.dflib.jjava.jupyter.messages.publish.PublishDisplayData;
import org.dflib.jjava.jupyter.messages.publish.PublishUpdateDisplayData;
import org.jspecify.annotations.Nullable;
import org.peft4j.notebook.Display;
import org.peft4j.notebook.Rich;

/** Shows content below the cell that runs. */
final class PageDisplay implements Display {
  private final Set<String> shown = new HashSet<>();
  private @Nullable ShellReplyEnvironment cell;

  /** From now on below this cell. */
  synchronized void begin(ShellReplyEnvironment next) {
    cell = next;
    shown.clear(); // a cell that runs again shows its own
  }

  @Override
  public synchronized void show(Rich content) {
    if (cell != null) {
      cell.publish(new PublishDisplayData(data(content)));
    }
  }

  @Override
  public synchronized void update(String id, Rich content) {
    if (cell == null) {
      return;
    }
    DisplayData data = data(content);
    data.setDisplayId(id);
    if (shown.add(id)) {
      cell.publish(new PublishDisplayData(data));
    } else {
      cell.publish(new PublishUpdateDisplayData(data));
    }
  }

  @Override
  public boolean isRich() {
    return true;
  }

  static DisplayData data(Rich content) {
    DisplayData data = new DisplayData();
    content.encoded().forEach(data::putData);
    return data;
  }
}
