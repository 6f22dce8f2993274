package org.peft4j.kernel;

import java.util.HashSet;
import java.util.Set;
import org.jetbrains.kotlinx.jupyter.api.KotlinKernelHost;
import org.jetbrains.kotlinx.jupyter.api.MimeTypedResult;
import org.jspecify.annotations.Nullable;
import org.peft4j.notebook.Display;
import org.peft4j.notebook.Rich;

/** The page of the Kotlin kernel. */
final class KotlinDisplay implements Display {
  private final KotlinKernelHost host;
  private final Set<String> shown = new HashSet<>();

  KotlinDisplay(KotlinKernelHost host) {
    this.host = host;
  }

  static MimeTypedResult result(Rich content, @Nullable String id) {
    return new MimeTypedResult(content.encoded(), /* isolatedHtml= */ false, id);
  }

  @Override
  public void show(Rich content) {
    host.display(result(content, null), null);
  }

  @Override
  public synchronized void update(String id, Rich content) {
    if (shown.add(id)) {
      host.display(result(content, id), id);
    } else {
      host.updateDisplay(result(content, id), id);
    }
  }

  @Override
  public boolean isRich() {
    return true;
  }
}
