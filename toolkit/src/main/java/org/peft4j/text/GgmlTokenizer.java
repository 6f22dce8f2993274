package org.peft4j.text;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Says in the words of {@code tokenizer.json} what a {@link GgmlVocabulary} says. */
final class GgmlTokenizer {
  private static final Gson GSON =
      new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
  private static final String BLANK = "\u2581"; // SentencePiece's sign for a blank

  private final GgmlVocabulary source;
  private final Map<String, Integer> ids = new HashMap<>();

  private GgmlTokenizer(GgmlVocabulary source) {
    this.source = source;
    for (int i = 0; i < source.tokens().size(); i++) {
      ids.putIfAbsent(source.tokens().get(i), i);
    }
  }

  /**
   * The text of a {@code tokenizer.json}.
   *
   * @throws IllegalArgumentException with a sentence that lacks its subject
   */
  static String json(GgmlVocabulary source) {
    source.check();
    return GSON.toJson(new GgmlTokenizer(source).tree());
  }

  private JsonObject tree() {
    JsonObject out = new JsonObject();
    out.addProperty("version", "1.0");
    out.add("truncation", JsonNull.INSTANCE);
    out.add("padding", JsonNull.INSTANCE);
    out.add("added_tokens", added());
    switch (source.model()) {
      case "gpt2" -> bytes(out);
      case "llama" -> pieces(out);
      default ->
          throw new IllegalArgumentException(
              "tokenizer.ggml.model\nexpected: one of [gpt2, llama]\nfound: " + source.model());
    }
    return out;
  }

  private JsonArray added() {
    JsonArray list = new JsonArray();
    for (int i = 0; i < source.tokens().size(); i++) {
      GgmlVocabulary.Kind kind = source.kind(i);
      boolean special = kind == GgmlVocabulary.Kind.CONTROL || kind == GgmlVocabulary.Kind.UNKNOWN;
      if (special || kind == GgmlVocabulary.Kind.USER_DEFINED) {
        JsonObject token = new JsonObject();
        token.addProperty("id", i);
        token.addProperty("content", source.tokens().get(i));
        for (String no : List.of("single_word", "lstrip", "rstrip", "normalized")) {
          token.addProperty(no, false);
        }
        token.addProperty("special", special);
        list.add(token);
      }
    }
    return list;
  }

  private void bytes(JsonObject out) {
    WordSplit split = WordSplit.named(source.pre());
    if (split == null) {
      throw new IllegalArgumentException(
          "tokenizer.ggml.pre\nexpected: one of "
              + WordSplit.allNames()
              + "\nfound: "
              + source.pre());
    }
    out.add("normalizer", split == WordSplit.QWEN2 ? typed("NFC") : JsonNull.INSTANCE);
    JsonArray steps = new JsonArray();
    for (String expression : split.expressions()) {
      JsonObject step = typed("Split");
      JsonObject pattern = new JsonObject();
      pattern.addProperty("Regex", expression);
      step.add("pattern", pattern);
      step.addProperty("behavior", "Isolated");
      step.addProperty("invert", false);
      steps.add(step);
    }
    steps.add(byteLevel(false));
    out.add("pre_tokenizer", sequence("pretokenizers", steps));
    out.add("post_processor", ends(split.begins()));
    out.add("decoder", byteLevel(true));
    JsonArray merges = new JsonArray();
    for (String merge : source.merges()) {
      int blank = merge.indexOf(' ', 1);
      if (blank > 0
          && ids.containsKey(merge.substring(0, blank))
          && ids.containsKey(merge.substring(blank + 1))
          && ids.containsKey(merge.substring(0, blank) + merge.substring(blank + 1))) {
        merges.add(merge);
      }
    }
    out.add("model", bpe(merges, false, split.wholeWords()));
  }

  private static JsonObject byteLevel(boolean regex) {
    JsonObject step = typed("ByteLevel");
    step.addProperty("add_prefix_space", false);
    step.addProperty("trim_offsets", true);
    step.addProperty("use_regex", regex);
    return step;
  }

  private void pieces(JsonObject out) {
    if (source.scores().isEmpty()) {
      throw new IllegalArgumentException(
          "tokenizer.ggml.scores\nexpected: one score per token\nfound: none");
    }
    boolean space = !Boolean.FALSE.equals(source.addSpace());
    JsonArray before = new JsonArray();
    JsonArray after = new JsonArray();
    if (space) {
      JsonObject prepend = typed("Prepend");
      prepend.addProperty("prepend", BLANK);
      before.add(prepend);
    }
    before.add(replace(" ", BLANK));
    after.add(replace(BLANK, " "));
    after.add(typed("ByteFallback"));
    after.add(typed("Fuse"));
    if (space) {
      JsonObject strip = typed("Strip");
      strip.addProperty("content", " ");
      strip.addProperty("start", 1);
      strip.addProperty("stop", 0);
      after.add(strip);
    }
    out.add("normalizer", sequence("normalizers", before));
    out.add("pre_tokenizer", JsonNull.INSTANCE);
    out.add("post_processor", ends(true));
    out.add("decoder", sequence("decoders", after));
    JsonArray merges = new JsonArray();
    PieceMerges.of(source, ids).forEach(merges::add);
    out.add("model", bpe(merges, true, false));
  }

  private static JsonObject replace(String from, String to) {
    JsonObject step = typed("Replace");
    JsonObject pattern = new JsonObject();
    pattern.addProperty("String", from);
    step.add("pattern", pattern);
    step.addProperty("content", to);
    return step;
  }

  private JsonObject bpe(JsonArray merges, boolean byteFallback, boolean wholeWords) {
    JsonObject model = typed("BPE");
    model.add("dropout", JsonNull.INSTANCE);
    model.addProperty("unk_token", byteFallback ? source.token(source.unknown()) : null);
    model.add("continuing_subword_prefix", JsonNull.INSTANCE);
    model.add("end_of_word_suffix", JsonNull.INSTANCE);
    model.addProperty("fuse_unk", byteFallback);
    model.addProperty("byte_fallback", byteFallback);
    model.addProperty("ignore_merges", wholeWords);
    JsonObject vocabulary = new JsonObject();
    for (int i = 0; i < source.tokens().size(); i++) {
      String token = source.tokens().get(i);
      if (Integer.valueOf(i).equals(ids.get(token))) {
        vocabulary.addProperty(token, i);
      }
    }
    model.add("vocab", vocabulary);
    model.add("merges", merges);
    return model;
  }

  /** The tokens that every text begins and ends with. */
  private JsonElement ends(boolean usuallyBegins) {
    Boolean add = source.addBegin();
    String first = (add == null ? usuallyBegins : add) ? source.token(source.begin()) : null;
    String last = Boolean.TRUE.equals(source.addEnd()) ? source.token(source.end()) : null;
    if (first == null && last == null) {
      return JsonNull.INSTANCE;
    }
    JsonObject out = typed("TemplateProcessing");
    JsonArray single = new JsonArray();
    JsonArray pair = new JsonArray();
    text(single, first, last, "A", 0);
    text(pair, first, last, "A", 0);
    text(pair, first, last, "B", 1);
    out.add("single", single);
    out.add("pair", pair);
    JsonObject specials = new JsonObject();
    special(specials, first, source.begin());
    special(specials, last, source.end());
    out.add("special_tokens", specials);
    return out;
  }

  private static void text(
      JsonArray list, @Nullable String first, @Nullable String last, String which, int type) {
    part(list, "SpecialToken", first, type);
    part(list, "Sequence", which, type);
    part(list, "SpecialToken", last, type);
  }

  private static void part(JsonArray list, String kind, @Nullable String id, int type) {
    if (id != null) {
      JsonObject named = new JsonObject();
      named.addProperty("id", id);
      named.addProperty("type_id", type);
      JsonObject part = new JsonObject();
      part.add(kind, named);
      list.add(part);
    }
  }

  private static void special(JsonObject specials, @Nullable String token, @Nullable Integer id) {
    if (token != null && id != null) {
      JsonObject out = new JsonObject();
      out.addProperty("id", token);
      out.add("ids", list(id));
      JsonArray tokens = new JsonArray();
      tokens.add(token);
      out.add("tokens", tokens);
      specials.add(token, out);
    }
  }

  private static JsonArray list(int id) {
    JsonArray list = new JsonArray();
    list.add(id);
    return list;
  }

  private static JsonObject sequence(String what, JsonArray steps) {
    JsonObject out = typed("Sequence");
    out.add(what, steps);
    return out;
  }

  private static JsonObject typed(String type) {
    JsonObject out = new JsonObject();
    out.addProperty("type", type);
    return out;
  }
}
