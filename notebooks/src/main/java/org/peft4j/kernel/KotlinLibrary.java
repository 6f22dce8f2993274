package org.peft4j.kernel;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import kotlin.Unit;
import org.jetbrains.kotlinx.jupyter.api.libraries.JupyterIntegration;
import org.peft4j.notebook.Displays;

/**
 * What the Kotlin kernel finds on its class path of the toolkit: how values and charts are shown,
 * and imports and functions that read well in Kotlin ({@code functions.kts}).
 */
public final class KotlinLibrary extends JupyterIntegration {
  private static final String FUNCTIONS = "functions.kts";

  @Override
  public void onLoaded(Builder library) {
    library.setDescription("Parameter-efficient fine-tuning on the JVM");
    library.addRenderer(new KotlinValues());
    library.onLoaded(
        host -> {
          Displays.use(new KotlinDisplay(host));
          host.execute(functions());
          return Unit.INSTANCE;
        });
  }

  private static String functions() {
    try (InputStream in =
        Objects.requireNonNull(KotlinLibrary.class.getResourceAsStream(FUNCTIONS), FUNCTIONS)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
