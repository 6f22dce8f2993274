package org.peft4j.text;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a {@code tokenizer.json} says about its tokens: {@code model.vocab} (an object of token to
 * id, or for Unigram an array of {@code [token, score]}), {@code added_tokens} on top of it, and
 * {@code padding.pad_id}. DJL's tokenizer offers none of it.
 */
final class Vocabulary {
  private static final List<String> PAD_NAMES = List.of("[PAD]", "<pad>", "<|pad|>", "<PAD>");

  private final Map<String, Integer> ids = new HashMap<>();
  private final Map<Integer, String> tokens = new HashMap<>();
  private final Map<String, Integer> added = new LinkedHashMap<>();
  private int size;
  private int padId = -1;

  private Vocabulary() {}

  /**
   * Reads the text of a {@code tokenizer.json}.
   *
   * @throws IOException when it is not JSON of that form
   */
  static Vocabulary parse(String json) throws IOException {
    Vocabulary v = new Vocabulary();
    boolean model = false;
    try (JsonReader in = new JsonReader(new StringReader(json))) {
      in.beginObject();
      while (in.hasNext()) {
        switch (in.nextName()) {
          case "model" -> model = v.readModel(in);
          case "added_tokens" -> v.readAdded(in);
          case "padding" -> v.readPadding(in);
          default -> in.skipValue();
        }
      }
      in.endObject();
      v.added.forEach(v::put); // on top of the model, wherever they stand in the file
    } catch (IllegalStateException | NumberFormatException e) {
      throw new IOException(e.getMessage(), e);
    }
    if (!model) {
      throw new IOException("no entry \"model\" with a \"vocab\"");
    }
    return v;
  }

  private boolean readModel(JsonReader in) throws IOException {
    boolean found = false;
    in.beginObject();
    while (in.hasNext()) {
      if (!in.nextName().equals("vocab")) {
        in.skipValue();
        continue;
      }
      found = true;
      if (in.peek() == JsonToken.BEGIN_OBJECT) {
        in.beginObject();
        while (in.hasNext()) {
          put(in.nextName(), in.nextInt());
        }
        in.endObject();
      } else {
        in.beginArray();
        for (int id = 0; in.hasNext(); id++) {
          in.beginArray();
          put(in.nextString(), id);
          in.skipValue(); // its score
          in.endArray();
        }
        in.endArray();
      }
    }
    in.endObject();
    return found;
  }

  private void readAdded(JsonReader in) throws IOException {
    if (in.peek() == JsonToken.NULL) {
      in.nextNull();
      return;
    }
    in.beginArray();
    while (in.hasNext()) {
      String content = null;
      int id = -1;
      in.beginObject();
      while (in.hasNext()) {
        switch (in.nextName()) {
          case "content" -> content = in.nextString();
          case "id" -> id = in.nextInt();
          default -> in.skipValue();
        }
      }
      in.endObject();
      if (content == null || id < 0) {
        throw new IOException("added token without content and id at " + in.getPreviousPath());
      }
      added.put(content, id);
    }
    in.endArray();
  }

  private void readPadding(JsonReader in) throws IOException {
    if (in.peek() == JsonToken.NULL) {
      in.nextNull();
      return;
    }
    in.beginObject();
    while (in.hasNext()) {
      if (in.nextName().equals("pad_id")) {
        padId = in.nextInt();
      } else {
        in.skipValue();
      }
    }
    in.endObject();
  }

  private void put(String token, int id) {
    if (id < 0 || id == Integer.MAX_VALUE) {
      throw new NumberFormatException("id " + id + " of token \"" + token + "\"");
    }
    ids.put(token, id);
    tokens.put(id, token);
    size = Math.max(size, id + 1);
  }

  @Nullable Integer id(String token) {
    return ids.get(token);
  }

  @Nullable String token(long id) {
    return id == (int) id ? tokens.get((int) id) : null;
  }

  /** Names of the added tokens, special ones among them, in the order of the file. */
  Set<String> added() {
    return added.keySet();
  }

  /** The largest id and one. */
  int size() {
    return size;
  }

  /** The id to pad with: as the file says, else that of a token of the usual name. */
  OptionalInt padId() {
    if (padId >= 0) {
      return OptionalInt.of(padId);
    }
    return PAD_NAMES.stream().filter(ids::containsKey).mapToInt(ids::get).findFirst();
  }
}
