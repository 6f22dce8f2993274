package org.peft4j.text;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.text.GgmlVocabulary.Kind;

/** A {@code tokenizer.json} in the words of a GGUF file: the way back of {@link GgmlTokenizer}. */
final class TokenizerJson {
  private final JsonObject root;
  private final JsonObject model;
  private final Map<String, Integer> ids = new HashMap<>();
  private final List<String> tokens = new ArrayList<>();
  private final List<Kind> kinds = new ArrayList<>();
  private final List<String> merges = new ArrayList<>();

  private TokenizerJson(JsonObject root) {
    this.root = root;
    this.model = object(root.get("model"));
  }

  /**
   * The vocabulary.
   *
   * @throws IllegalArgumentException with a sentence that lacks its subject, when GGUF has no words
   *     for this tokenizer
   */
  static GgmlVocabulary vocabulary(String json, ChatSource chat) {
    try {
      return new TokenizerJson(JsonParser.parseString(json).getAsJsonObject()).read(chat);
    } catch (IllegalStateException | ClassCastException | UnsupportedOperationException e) {
      throw new IllegalArgumentException("not of the usual form: " + e.getMessage(), e);
    }
  }

  private GgmlVocabulary read(ChatSource chat) {
    String type = string(model.get("type"));
    boolean bytes = contains(root.get("decoder"), "ByteLevel");
    boolean pieces = isTrue(model.get("byte_fallback"));
    if (!"BPE".equals(type) || bytes == pieces) {
      throw new IllegalArgumentException(
          "model\nexpected: a byte-level BPE, or a BPE with byte fallback\nfound: " + type);
    }
    readTokens();
    readMerges();
    List<Float> scores = new ArrayList<>();
    String pre = "default";
    String unknown = string(model.get("unk_token"));
    if (pieces) {
      pieceKinds(unknown);
      scores.addAll(scores());
    } else {
      pre = split().usualName();
    }
    String first = end(true);
    String last = end(false);
    return new GgmlVocabulary(
        pieces ? "llama" : "gpt2",
        pre,
        Collections.unmodifiableList(tokens),
        Collections.unmodifiableList(kinds),
        scores,
        pieces ? List.of() : Collections.unmodifiableList(merges),
        ids.get(chat.bosToken() != null ? chat.bosToken() : first),
        ids.get(chat.eosToken() != null ? chat.eosToken() : last),
        ids.get(unknown),
        padding(),
        first != null,
        last != null,
        pieces ? addsSpace() : null,
        chat.template());
  }

  private void readTokens() {
    object(model.get("vocab")).entrySet().forEach(e -> put(e.getKey(), e.getValue().getAsInt()));
    JsonArray added = array(root.get("added_tokens"));
    added.forEach(t -> put(String.valueOf(string(object(t).get("content"))), id(t)));
    int size = ids.values().stream().mapToInt(Integer::intValue).max().orElse(-1) + 1;
    for (int i = 0; i < size; i++) {
      tokens.add("[PAD" + i + "]"); // what no text ever becomes
      kinds.add(Kind.UNUSED);
    }
    ids.forEach(
        (token, id) -> {
          tokens.set(id, token);
          kinds.set(id, Kind.NORMAL);
        });
    added.forEach(
        t -> kinds.set(id(t), isTrue(object(t).get("special")) ? Kind.CONTROL : Kind.USER_DEFINED));
  }

  private static int id(JsonElement token) {
    return object(token).get("id").getAsInt();
  }

  private void put(String token, int id) {
    if (id < 0 || id > 1 << 26) {
      throw new IllegalArgumentException("expected ids of 0 to 2^26, found " + id);
    }
    ids.put(token, id);
  }

  private void readMerges() {
    for (JsonElement merge : array(model.get("merges"))) {
      merges.add(
          merge instanceof JsonArray pair
              ? pair.get(0).getAsString() + " " + pair.get(1).getAsString()
              : merge.getAsString());
    }
  }

  private void pieceKinds(@Nullable String unknown) {
    for (int i = 0; i < 256; i++) {
      Integer id = ids.get(String.format("<0x%02X>", i));
      if (id != null) {
        kinds.set(id, Kind.BYTE);
      }
    }
    if (unknown != null && ids.containsKey(unknown)) {
      kinds.set(ids.getOrDefault(unknown, 0), Kind.UNKNOWN);
    }
  }

  /** Scores that make the same merges: the earlier a piece is merged, the better. */
  private List<Float> scores() {
    Map<String, Integer> rank = new HashMap<>();
    for (String merge : merges) {
      int blank = merge.indexOf(' ', 1);
      rank.putIfAbsent(merge.substring(0, blank) + merge.substring(blank + 1), rank.size());
    }
    List<Float> scores = new ArrayList<>();
    for (int i = 0; i < tokens.size(); i++) {
      Integer r = rank.get(tokens.get(i));
      scores.add(kinds.get(i) != Kind.NORMAL ? 0f : r == null ? -(float) rank.size() : -(float) r);
    }
    return scores;
  }

  /** The split whose expressions the pre-tokenizer applies. */
  private WordSplit split() {
    List<String> expressions = new ArrayList<>();
    JsonObject before = object(root.get("pre_tokenizer"));
    List<JsonElement> steps =
        "Sequence".equals(string(before.get("type")))
            ? array(before.get("pretokenizers")).asList()
            : List.of(before);
    for (JsonElement e : steps) {
      JsonObject step = object(e);
      switch (String.valueOf(string(step.get("type")))) {
        case "Split" ->
            expressions.add(String.valueOf(string(object(step.get("pattern")).get("Regex"))));
        case "Digits" ->
            expressions.add(isTrue(step.get("individual_digits")) ? "\\p{N}" : "\\p{N}+");
        case "ByteLevel" -> {
          if (!isFalse(step.get("use_regex"))) {
            expressions.add(WordSplit.GPT2.expressions().get(0));
          }
        }
        default -> expressions.add(String.valueOf(step));
      }
    }
    WordSplit found = WordSplit.of(expressions, isTrue(model.get("ignore_merges")));
    if (found == null) {
      throw new IllegalArgumentException(
          "pre_tokenizer\nexpected: one of those that GGUF files name "
              + WordSplit.allNames()
              + "\nfound: "
              + expressions);
    }
    return found;
  }

  private boolean addsSpace() {
    return contains(root.get("normalizer"), "Prepend")
        || (contains(root.get("pre_tokenizer"), "Metaspace")
            && !String.valueOf(root.get("pre_tokenizer")).contains("\"never\""));
  }

  private @Nullable Integer padding() {
    return root.get("padding") instanceof JsonObject p && p.get("pad_id") != null
        ? (Integer) p.get("pad_id").getAsInt()
        : null;
  }

  /** The token before or after a text in the post-processor's template, or null. */
  private @Nullable String end(boolean before) {
    JsonArray parts = template(root.get("post_processor"));
    boolean passed = false;
    for (JsonElement part : parts) {
      JsonElement special = object(part).get("SpecialToken");
      passed |= object(part).has("Sequence");
      if (special != null && passed != before) {
        return string(object(special).get("id"));
      }
    }
    return null;
  }

  private static JsonArray template(@Nullable JsonElement processor) {
    if (processor instanceof JsonObject p) {
      if (p.get("single") instanceof JsonArray single) {
        return single;
      }
      for (JsonElement inner : array(p.get("processors"))) {
        JsonArray found = template(inner);
        if (!found.isEmpty()) {
          return found;
        }
      }
    }
    return new JsonArray();
  }

  /** Whether a step, or one within it, is of that type. */
  private static boolean contains(@Nullable JsonElement step, String type) {
    return String.valueOf(step).contains("\"type\":\"" + type + "\"");
  }

  private static JsonObject object(@Nullable JsonElement e) {
    return e instanceof JsonObject o ? o : new JsonObject();
  }

  private static JsonArray array(@Nullable JsonElement e) {
    return e instanceof JsonArray a ? a : new JsonArray();
  }

  private static @Nullable String string(@Nullable JsonElement e) {
    return e != null && e.isJsonPrimitive() ? e.getAsString() : null;
  }

  private static boolean isTrue(@Nullable JsonElement e) {
    return e != null && e.isJsonPrimitive() && e.getAsBoolean();
  }

  private static boolean isFalse(@Nullable JsonElement e) {
    return e != null && e.isJsonPrimitive() && !e.getAsBoolean();
  }
}
