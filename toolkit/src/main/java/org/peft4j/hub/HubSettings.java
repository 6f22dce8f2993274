package org.peft4j.hub;

import java.net.URI;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Downloads;
import org.peft4j.format.Patience;
import org.peft4j.tensor.CacheHome;

/**
 * Where the hub is, where its cache lies, and who asks, as Hugging Face's own library finds them:
 * {@code HF_ENDPOINT}, {@code HF_HOME}, {@code HF_HUB_CACHE}, {@code XDG_CACHE_HOME}, {@code
 * HF_TOKEN}, {@code HF_TOKEN_PATH}, {@code HF_HUB_OFFLINE}, {@code HF_HUB_DISABLE_SYMLINKS};
 * environment variables, or system properties of these names.
 *
 * @param endpoint without a slash at the end
 * @param offline whether that or {@code PEFT4J_OFFLINE} forbids the network
 * @param links whether the cache may use symbolic links
 */
record HubSettings(
    URI endpoint,
    Path cache,
    @Nullable Token token,
    boolean offline,
    boolean links,
    Patience patience) {
  private static final String PUBLIC = "https://huggingface.co";
  private static final int ATTEMPTS = 5;

  /** As the environment says now. */
  static HubSettings current() {
    Path home = home();
    return new HubSettings(
        address(),
        cacheFolder(),
        Token.find(path("HF_TOKEN_PATH", home.resolve("token"))),
        Downloads.offline() || Switch.isOn("HF_HUB_OFFLINE") || Switch.isOn("TRANSFORMERS_OFFLINE"),
        !Switch.isOn("HF_HUB_DISABLE_SYMLINKS"),
        Patience.USUAL.attempts(ATTEMPTS));
  }

  /** Where repositories are kept. */
  static Path cacheFolder() {
    return path("HF_HUB_CACHE", path("HUGGINGFACE_HUB_CACHE", home().resolve("hub")));
  }

  private static Path home() {
    String xdg = CacheHome.setting("XDG_CACHE_HOME");
    Path caches = xdg == null ? userHome().resolve(".cache") : Path.of(xdg);
    return path("HF_HOME", caches.resolve("huggingface"));
  }

  private static URI address() {
    @Nullable String set = CacheHome.setting("HF_ENDPOINT");
    String text = set == null ? PUBLIC : set.strip().replaceFirst("/+$", "");
    try {
      URI uri = URI.create(text);
      if (("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()))
          && uri.getHost() != null
          && uri.getRawQuery() == null
          && uri.getRawFragment() == null
          && uri.getRawUserInfo() == null) {
        return uri;
      }
    } catch (IllegalArgumentException e) {
      // said below
    }
    throw new IllegalArgumentException(
        Message.of("HF_ENDPOINT", "not an address", "such as " + PUBLIC, text, null));
  }

  private static Path path(String name, Path otherwise) {
    String set = CacheHome.setting(name);
    return (set == null ? otherwise : expanded(set)).toAbsolutePath().normalize();
  }

  /** With {@code ~} and {@code $NAME} filled in, as Python does. */
  private static Path expanded(String text) {
    Matcher names = Pattern.compile("\\$(?:(\\w+)|\\{(\\w+)})").matcher(text);
    String filled =
        names.replaceAll(
            m -> {
              String value = CacheHome.setting(m.group(1) != null ? m.group(1) : m.group(2));
              return Matcher.quoteReplacement(value == null ? m.group() : value);
            });
    return filled.equals("~") || filled.startsWith("~/")
        ? userHome().resolve(filled.substring(Math.min(2, filled.length())))
        : Path.of(filled);
  }

  private static Path userHome() {
    return Path.of(System.getProperty("user.home", "."));
  }
}
