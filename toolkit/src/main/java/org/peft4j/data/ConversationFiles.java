package org.peft4j.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.text.Message;

/** Reads rows to learn language from out of files of records. */
final class ConversationFiles {
  private static final String KINDS =
      "a JSON object with \"messages\": [{\"role\": ..., \"content\": ...}, ...], or \"prompt\" and"
          + " \"completion\", or \"text\"";

  private ConversationFiles() {}

  static Conversations jsonl(Path file) {
    Problems problems = new Problems(file, KINDS);
    List<Conversation> rows = new ArrayList<>();
    JsonLines.each(
        file,
        problems,
        (object, line) -> {
          try {
            rows.add(row(object));
          } catch (IllegalArgumentException e) {
            problems.add(line, inOneLine(e));
          }
        });
    problems.throwIfAny("correct these lines, or name the columns of a .csv file");
    return all(file, rows);
  }

  private static Conversation row(Map<?, ?> object) {
    if (object.containsKey("messages")) {
      return new Conversation.Chat(messages(object, "messages"));
    }
    if (object.containsKey("prompt") || object.containsKey("completion")) {
      if (object.get("prompt") instanceof List) {
        List<Message> turns = new ArrayList<>(messages(object, "prompt"));
        turns.addAll(messages(object, "completion"));
        return new Conversation.Chat(turns);
      }
      return Conversation.of(string(object, "prompt"), string(object, "completion"));
    }
    return Conversation.text(string(object, "text"));
  }

  private static List<Message> messages(Map<?, ?> object, String key) {
    if (!(object.get(key) instanceof List<?> list)) {
      throw new IllegalArgumentException(JsonLines.found(object, key));
    }
    List<Message> out = new ArrayList<>();
    for (Object turn : list) {
      if (!(turn instanceof Map<?, ?> message)) {
        throw new IllegalArgumentException("\"%s\" holds %s".formatted(key, turn));
      }
      out.add(message(message));
    }
    return out;
  }

  /** A turn; what it has beside role and text, such as tool calls, is kept for the template. */
  private static Message message(Map<?, ?> turn) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    turn.forEach((key, value) -> fields.put((String) key, value));
    String role = string(turn, "role");
    fields.remove("role");
    if (fields.get("content") instanceof String text) {
      fields.remove("content");
      return new Message(role, text, fields);
    }
    boolean callsOnly = fields.get("content") == null && fields.get("tool_calls") != null;
    if (callsOnly || fields.get("content") instanceof List) { // or parts of several kinds
      return new Message(role, "", fields);
    }
    throw new IllegalArgumentException(JsonLines.found(turn, "content"));
  }

  private static String string(Map<?, ?> object, String key) {
    if (object.get(key) instanceof String s) {
      return s;
    }
    throw new IllegalArgumentException(JsonLines.found(object, key));
  }

  static Conversations csv(Path file, String... columns) {
    Problems problems = new Problems(file, Csv.EXPECTED);
    List<Conversation> rows = new ArrayList<>();
    for (Csv.Row row : Csv.columns(file, problems, columns)) {
      List<String> fields = row.fields();
      try {
        rows.add(
            columns.length == 1
                ? Conversation.text(fields.get(0))
                : Conversation.of(fields.get(0), fields.get(1)));
      } catch (IllegalArgumentException e) {
        problems.add(row.line(), inOneLine(e));
      }
    }
    problems.throwIfAny(Csv.FIX);
    return all(file, rows);
  }

  private static Conversations all(Path file, List<Conversation> rows) {
    if (rows.isEmpty()) {
      throw new IllegalArgumentException(file + ": no rows\nexpected: at least one");
    }
    return new Conversations(rows);
  }

  private static String inOneLine(IllegalArgumentException e) {
    return String.valueOf(e.getMessage()).replace("\n", "; ");
  }
}
