package org.peft4j.text;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One turn of a conversation.
 *
 * @param fields what else a template may read, such as {@code tool_calls}; a field named {@code
 *     content} replaces the text, for contents that are null or lists of parts
 */
public record Message(String role, String content, Map<String, @Nullable Object> fields) {
  /** The role whose turns a model is to write. */
  public static final String ASSISTANT = "assistant";

  public Message {
    if (role.isBlank()) {
      throw new IllegalArgumentException(
          "role\nexpected: system, user, assistant or another of the chat template\nfound: nothing");
    }
    Map<String, @Nullable Object> copy = new LinkedHashMap<>(fields); // nulls are values here
    fields = java.util.Collections.unmodifiableMap(copy);
  }

  public Message(String role, String content) {
    this(role, content, Map.of());
  }

  /** How the model is to behave. */
  public static Message system(String content) {
    return new Message("system", content);
  }

  /** What a person says. */
  public static Message user(String content) {
    return new Message("user", content);
  }

  /** What the model says. */
  public static Message assistant(String content) {
    return new Message(ASSISTANT, content);
  }

  /** What a tool gave back. */
  public static Message tool(String content) {
    return new Message("tool", content);
  }

  /** The same message with one more field. */
  public Message with(String field, @Nullable Object value) {
    Map<String, @Nullable Object> more = new LinkedHashMap<>(fields);
    more.put(field, value);
    return new Message(role, content, more);
  }

  Map<String, @Nullable Object> values() {
    Map<String, @Nullable Object> out = new LinkedHashMap<>();
    out.put("role", role);
    out.put("content", content);
    out.putAll(fields);
    return out;
  }
}
