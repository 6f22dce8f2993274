package org.peft4j.tensor;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import java.io.IOException;
import java.net.URL;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;

/**
 * DJL's PyTorch engine, started the way this project relies on: offline (nothing is fetched at run
 * time), natives under {@link CacheHome}, no log lines where the application has not set up
 * logging. Every public entry point calls {@link #start()} before it touches an array; settings the
 * user made beforehand are kept.
 */
public final class Torch {
  private static final Map<String, String> PLATFORMS =
      Map.of(
          "linux-x86_64", "linux-x86_64",
          "linux-aarch64", "linux-aarch64",
          "osx-aarch64", "osx-aarch64",
          "win-x86_64", "win-x86_64");

  private static @Nullable Engine engine;

  private Torch() {}

  /**
   * Starts the engine on the first call; later calls return at once.
   *
   * @throws IllegalStateException when no native library for this platform is on the class path
   */
  public static synchronized Engine start() {
    if (engine == null) {
      preset("ai.djl.offline", "true");
      preset("ENGINE_CACHE_DIR", CacheHome.path().resolve("natives").toString());
      preset("slf4j.internal.verbosity", "ERROR");
      preset("ai.djl.pytorch.graph_optimizer", "false");
      requireNatives();
      engine = Engine.getEngine("PyTorch");
    }
    return engine;
  }

  /** A new top-level manager; the caller owns it and closes it. */
  public static NDManager newManager() {
    return start().newBaseManager();
  }

  /** Runs {@code body} without recording gradients on this thread, whatever the mode was before. */
  public static <T> T inference(Callable<T> body) {
    start();
    boolean before = JniUtils.isGradMode();
    JniUtils.setGradMode(false);
    try {
      return body.call();
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    } finally {
      JniUtils.setGradMode(before);
    }
  }

  /** Number of threads that one operation uses. */
  public static int threads() {
    start();
    return JniUtils.getNumThreads();
  }

  /** Sets the number of threads that one operation uses, for the whole process. */
  public static void threads(int n) {
    if (n < 1) {
      throw new IllegalArgumentException("threads must be at least 1, was " + n);
    }
    start();
    JniUtils.setNumThreads(n);
  }

  /** The platform as DJL's native artifacts name it, such as {@code linux-x86_64}. */
  public static String platform() {
    return platform(System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
  }

  static String platform(String osName, String osArch) {
    String os = osName.toLowerCase(Locale.ROOT);
    String name =
        os.startsWith("win")
            ? "win"
            : os.startsWith("mac")
                ? "osx"
                : os.startsWith("linux") ? "linux" : os.replace(' ', '-');
    String arch = osArch.toLowerCase(Locale.ROOT);
    return name + "-" + (arch.equals("amd64") ? "x86_64" : arch.equals("arm64") ? "aarch64" : arch);
  }

  /** What to tell a user whose platform or class path has no PyTorch; null when all is well. */
  static @Nullable String nativesProblem(
      String platform, List<String> onClassPath, boolean overridden) {
    if (overridden || onClassPath.contains(platform)) {
      return null;
    }
    if (!PLATFORMS.containsKey(platform)) {
      return "PyTorch has no native library for "
          + platform
          + ".\n"
          + "expected: one of "
          + PLATFORMS.keySet().stream().sorted().toList()
          + "\n"
          + "fix: run on one of those, or point PYTORCH_LIBRARY_PATH at a libtorch 2.7.1 built for this machine";
    }
    return "PyTorch's native library for "
        + platform
        + " is not on the class path.\n"
        + "found: "
        + (onClassPath.isEmpty() ? "none" : onClassPath)
        + "\n"
        + "fix: Maven takes it by itself; for Gradle add\n"
        + "  runtimeOnly(\"ai.djl.pytorch:pytorch-native-cpu:2.7.1:"
        + platform
        + "\")";
  }

  private static void requireNatives() {
    List<String> found = new ArrayList<>();
    try {
      ClassLoader context = Thread.currentThread().getContextClassLoader();
      ClassLoader loader = context != null ? context : Torch.class.getClassLoader();
      for (URL url :
          java.util.Collections.list(loader.getResources("native/lib/pytorch.properties"))) {
        Properties p = new Properties();
        try (var in = url.openStream()) {
          p.load(in);
        }
        String classifier = p.getProperty("classifier", "");
        found.add(classifier.replaceFirst("^(cpu|cu\\d+)(-precxx11)?-", ""));
      }
    } catch (IOException e) {
      throw new IllegalStateException("cannot read the class path: " + e.getMessage(), e);
    }
    String problem =
        nativesProblem(platform(), found, CacheHome.setting("PYTORCH_LIBRARY_PATH") != null);
    if (problem != null) {
      throw new IllegalStateException(problem);
    }
  }

  /** Folder that holds the unpacked native libraries. */
  public static Path natives() {
    String dir = CacheHome.setting("ENGINE_CACHE_DIR");
    return dir != null ? Path.of(dir) : CacheHome.path().resolve("natives");
  }

  private static void preset(String name, String value) {
    if (CacheHome.setting(name) == null) {
      System.setProperty(name, value);
    }
  }
}
