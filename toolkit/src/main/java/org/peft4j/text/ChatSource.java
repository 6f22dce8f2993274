package org.peft4j.text;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a model's files say of its chat format, as they say it.
 *
 * @param template Jinja source that writes a chat as one text; null when there is none
 * @param bosToken the text of the token that begins a text; null when there is none
 * @param eosToken the text of the token that ends one, likewise
 */
public record ChatSource(
    @Nullable String template, @Nullable String bosToken, @Nullable String eosToken) {
  static final ChatSource NONE = new ChatSource(null, null, null);

  /** The tokens by the names that a template knows them by. */
  Map<String, String> specialTokens() {
    Map<String, String> tokens = new LinkedHashMap<>();
    if (bosToken != null) {
      tokens.put("bos_token", bosToken);
    }
    if (eosToken != null) {
      tokens.put("eos_token", eosToken);
    }
    return tokens;
  }

  /**
   * What stands beside a {@code tokenizer.json}: {@code tokenizer_config.json}, whose template a
   * file {@code chat_template.jinja} takes the place of.
   */
  static ChatSource beside(Path tokenizerJson) throws IOException {
    Path config = tokenizerJson.resolveSibling("tokenizer_config.json");
    Path jinja = tokenizerJson.resolveSibling("chat_template.jinja");
    JsonObject root = new JsonObject();
    if (Files.isRegularFile(config)) {
      try {
        root = JsonParser.parseString(Files.readString(config)).getAsJsonObject();
      } catch (JsonParseException | IllegalStateException e) {
        throw new IllegalArgumentException(config + ": not a JSON object: " + e.getMessage(), e);
      }
    }
    String template =
        Files.isRegularFile(jinja) ? Files.readString(jinja) : usual(root.get("chat_template"));
    return new ChatSource(template, content(root.get("bos_token")), content(root.get("eos_token")));
  }

  /** A template, or of several with names that of the name default. */
  private static @Nullable String usual(@Nullable JsonElement value) {
    if (value instanceof JsonArray list) {
      for (JsonElement e : list) {
        if (e instanceof JsonObject o && "default".equals(string(o.get("name")))) {
          return string(o.get("template"));
        }
      }
      return null;
    }
    return string(value);
  }

  /** A token as a string, or as an object with its content. */
  private static @Nullable String content(@Nullable JsonElement value) {
    return value instanceof JsonObject o ? string(o.get("content")) : string(value);
  }

  private static @Nullable String string(@Nullable JsonElement value) {
    return value != null && value.isJsonPrimitive() ? value.getAsString() : null;
  }
}
