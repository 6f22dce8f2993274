package org.peft4j.notebook;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.format.Downloads;

@Tag("fast")
class DownloadBarTest {
  private static String drawn(String progress, long bytes) {
    @Nullable String before = System.getProperty("PEFT4J_PROGRESS");
    PrintStream err = System.err;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    System.setProperty("PEFT4J_PROGRESS", progress);
    System.setErr(new PrintStream(out, true, StandardCharsets.UTF_8));
    try (Downloads.Progress bar = Downloads.Progress.shown("org/name")) {
      bar.at(0, bytes);
      bar.at(bytes, bytes);
    } finally {
      System.setErr(err);
      if (before == null) {
        System.clearProperty("PEFT4J_PROGRESS");
      } else {
        System.setProperty("PEFT4J_PROGRESS", before);
      }
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  @Test
  void a_download_shows_where_somebody_sees_it() {
    assertThat(drawn("on", 83_000_000)).contains("org/name", "83/83 MB", "100%");
    assertThat(drawn("on", 83_000)).contains("83/83 kB");
  }

  @Test
  void elsewhere_it_is_silent() {
    assertThat(drawn("off", 83_000_000)).isEmpty();
  }
}
