package org.peft4j.tensor;

import java.nio.file.Path;

/**
 * Where caches lie: weights, data sets, native libraries. {@code PEFT4J_HOME} (environment variable
 * or system property) names the folder; the default is {@code peft4j} under the user's cache
 * folder.
 */
public final class CacheHome {
  private CacheHome() {}

  /** The cache folder; not created by this call. */
  public static Path path() {
    String named = setting("PEFT4J_HOME");
    return (named != null ? Path.of(named) : userCache().resolve("peft4j")).toAbsolutePath();
  }

  /** The environment variable of that name, else the system property of that name, else null. */
  public static @org.jspecify.annotations.Nullable String setting(String name) {
    String value = System.getenv(name);
    if (value == null || value.isBlank()) {
      value = System.getProperty(name);
    }
    return value == null || value.isBlank() ? null : value;
  }

  private static Path userCache() {
    String os = System.getProperty("os.name", "");
    Path home = Path.of(System.getProperty("user.home", "."));
    if (os.startsWith("Windows")) {
      String local = System.getenv("LOCALAPPDATA");
      return local != null ? Path.of(local) : home.resolve("AppData").resolve("Local");
    }
    if (os.startsWith("Mac")) {
      return home.resolve("Library").resolve("Caches");
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    return xdg != null && !xdg.isBlank() ? Path.of(xdg) : home.resolve(".cache");
  }
}
