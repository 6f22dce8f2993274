package org.peft4j.notebook;

import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Content to be seen, in one or several forms of which a front end takes the best it can show. Keys
 * are MIME types as Jupyter names them; values are text, but for pictures of pixels ({@code
 * image/png}), which are {@code byte[]}. {@code text/plain} is always there.
 */
public final class Rich {
  public static final String TEXT = "text/plain";
  public static final String HTML = "text/html";
  public static final String PNG = "image/png";
  public static final String SVG = "image/svg+xml";

  private final Map<String, Object> forms;

  private Rich(Map<String, Object> forms) {
    this.forms = Collections.unmodifiableMap(forms);
  }

  /** Plain text alone. */
  public static Rich text(String text) {
    return new Rich(new LinkedHashMap<>(Map.of(TEXT, Objects.requireNonNull(text))));
  }

  /** The same content in one more form. */
  public Rich with(String mimeType, Object content) {
    Map<String, Object> more = new LinkedHashMap<>(forms);
    more.put(mimeType, Objects.requireNonNull(content));
    return new Rich(more);
  }

  /** All forms, plain text first. */
  public Map<String, Object> forms() {
    return forms;
  }

  /** All forms as the notebook protocol writes them: text as it is, pixels in Base64. */
  public Map<String, String> encoded() {
    Map<String, String> all = new LinkedHashMap<>();
    forms.forEach((type, form) -> all.put(type, encoded(form)));
    return all;
  }

  static String encoded(Object form) {
    return form instanceof byte[] bytes
        ? Base64.getEncoder().encodeToString(bytes)
        : String.valueOf(form);
  }

  /** One form, null where it is not there. */
  public @Nullable Object form(String mimeType) {
    return forms.get(mimeType);
  }

  /** The plain text. */
  @Override
  public String toString() {
    return String.valueOf(forms.get(TEXT));
  }
}
