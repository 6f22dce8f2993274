package org.peft4j.hub;

import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.CacheHome;

/** Environment variables that are on or off, in the words that Hugging Face's library takes. */
final class Switch {
  private static final Set<String> ON = Set.of("1", "ON", "YES", "TRUE");

  private Switch() {}

  static boolean isOn(String name) {
    @Nullable String value = CacheHome.setting(name);
    return value != null && ON.contains(value.strip().toUpperCase(Locale.ROOT));
  }
}
