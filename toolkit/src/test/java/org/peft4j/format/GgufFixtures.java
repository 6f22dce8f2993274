package org.peft4j.format;

import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;

/** Files made by src/test/python/gguf_fixtures.py. */
public final class GgufFixtures {
  private GgufFixtures() {}

  public static Path path(String name) {
    URL url = GgufFixtures.class.getResource("/gguf/" + name);
    if (url == null) {
      throw new IllegalStateException("no fixture " + name + "; see gguf_fixtures.py");
    }
    try {
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
