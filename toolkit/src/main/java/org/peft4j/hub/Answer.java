package org.peft4j.hub;

import java.net.URI;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;

/**
 * What a server said.
 *
 * @param at the address that said it, behind all redirects
 */
record Answer(URI at, int status, HttpHeaders headers, String body) {
  static Answer of(HttpResponse<String> response) {
    return new Answer(response.uri(), response.statusCode(), response.headers(), response.body());
  }

  /** A header, or null. */
  @Nullable String header(String name) {
    return headers.firstValue(name).orElse(null);
  }

  /** The body as an object of JSON. */
  Map<String, @Nullable Object> object() {
    Object value = json();
    if (value instanceof Map<?, ?> map) {
      Map<String, @Nullable Object> out = new LinkedHashMap<>();
      map.forEach((k, v) -> out.put((String) k, v));
      return out;
    }
    throw malformed("an object of JSON");
  }

  @Nullable Object json() {
    return Json.parse(body, at.toString());
  }

  /** An answer without what it must have. */
  IllegalArgumentException malformed(String expected) {
    return new IllegalArgumentException(
        Message.of(
            at,
            "not what a hub answers",
            expected,
            Message.quote(body),
            "check HF_ENDPOINT, and proxies in between"));
  }

  /** What the server gives as its reason: in a header, in JSON, or not at all. */
  String reason() {
    String header = header("X-Error-Message");
    if (header != null) {
      return Message.quote(header);
    }
    try {
      if (json() instanceof Map<?, ?> map && map.get("error") instanceof String error) {
        return Message.quote(error);
      }
    } catch (IllegalArgumentException e) {
      // a page for people, or nothing
    }
    return "";
  }
}
