package org.peft4j.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Small tokenizer.json files, written by tests. */
public final class TinyTokenizer {
  private TinyTokenizer() {}

  /**
   * BERT's kind: lower case, {@code [CLS] a [SEP]} and {@code [CLS] a [SEP] b [SEP]}; stored
   * padding to 8 with id 0 and truncation to 6. Ids: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, a to e 4
   * to 8, hello 9, world 10, ##s 11.
   */
  public static final String WORD_PIECE =
      """
      {"version": "1.0",
       "truncation": {"direction": "Right", "max_length": 6, "strategy": "LongestFirst",
         "stride": 0},
       "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
         "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
       "added_tokens": [
         {"id": 0, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false,
          "normalized": false, "special": true},
         {"id": 2, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false,
          "normalized": false, "special": true},
         {"id": 3, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false,
          "normalized": false, "special": true}],
       "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
         "strip_accents": null, "lowercase": true},
       "pre_tokenizer": {"type": "BertPreTokenizer"},
       "post_processor": {"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
           {"Sequence": {"id": "A", "type_id": 0}},
           {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
         "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
           {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
           {"Sequence": {"id": "B", "type_id": 1}},
           {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
         "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
           "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
       "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
       "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
         "max_input_chars_per_word": 100,
         "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "b": 5, "c": 6, "d": 7,
           "e": 8, "hello": 9, "world": 10, "##s": 11}}}
      """;

  /** GPT-2's kind: bytes, no special tokens around a text; its one added token has id 13. */
  public static final String BYTE_BPE =
      """
      {"version": "1.0", "truncation": null, "padding": null,
       "added_tokens": [{"id": 13, "content": "<|end|>", "single_word": false, "lstrip": false,
         "rstrip": false, "normalized": false, "special": true}],
       "normalizer": null,
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
         "use_regex": true},
       "post_processor": null,
       "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
         "use_regex": true},
       "model": {"type": "BPE", "dropout": null, "unk_token": null,
         "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
         "vocab": {"a": 0, "b": 1, "c": 2, "\\u0120": 3, "ab": 4, "\\u0120ab": 5, "\\u00f0": 6,
           "\\u0141": 7, "\\u013a": 8, "\\u0122": 9, "abc": 10, "!": 11, "?": 12},
         "merges": ["a b", "\\u0120 ab", "ab c"]}}
      """;

  /** GPT-2's kind with all 256 bytes, ids 0 to 255, then two pairs and a special token. */
  public static final String ALL_BYTES = allBytes();

  private static String allBytes() {
    StringBuilder vocabulary = new StringBuilder();
    int others = 0;
    for (int b = 0; b < 256; b++) {
      boolean shown = (b > 0x20 && b < 0x7F) || (b > 0xA0 && b != 0xAD);
      int letter = shown ? b : 256 + others++; // GPT-2's letters for bytes that are none
      vocabulary.append("\"\\u%04x\": %d, ".formatted(letter, b));
    }
    return """
    {"version": "1.0", "truncation": null, "padding": null,
     "added_tokens": [{"id": 258, "content": "<|end|>", "single_word": false, "lstrip": false,
       "rstrip": false, "normalized": false, "special": true}],
     "normalizer": null,
     "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
       "use_regex": true},
     "post_processor": null,
     "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
       "use_regex": true},
     "model": {"type": "BPE", "dropout": null, "unk_token": null,
       "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
       "vocab": {%s"ab": 256, "\\u0120ab": 257},
       "merges": ["a b", "\\u0120 ab"]}}
    """
        .formatted(vocabulary);
  }

  /**
   * Llama's kind: pieces with a mark for spaces, 256 tokens for bytes of what the pieces lack.
   * Special: {@code <s>} 257 before a text, {@code </s>} 258.
   */
  public static final String BYTE_FALLBACK = byteFallback();

  private static String byteFallback() {
    StringBuilder vocabulary = new StringBuilder();
    for (int b = 0; b < 256; b++) {
      vocabulary.append("\"<0x%02X>\": %d, ".formatted(b, b));
    }
    return """
    {"version": "1.0", "truncation": null, "padding": null,
     "added_tokens": [
       {"id": 256, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true},
       {"id": 257, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true},
       {"id": 258, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true}],
     "normalizer": {"type": "Sequence", "normalizers": [
       {"type": "Prepend", "prepend": "\\u2581"},
       {"type": "Replace", "pattern": {"String": " "}, "content": "\\u2581"}]},
     "pre_tokenizer": null,
     "post_processor": {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
         {"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
       "special_tokens": {"<s>": {"id": "<s>", "ids": [257], "tokens": ["<s>"]}}},
     "decoder": {"type": "Sequence", "decoders": [
       {"type": "Replace", "pattern": {"String": "\\u2581"}, "content": " "},
       {"type": "ByteFallback"}, {"type": "Fuse"},
       {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
     "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>",
       "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
       "byte_fallback": true, "ignore_merges": false,
       "vocab": {%s"<unk>": 256, "<s>": 257, "</s>": 258, "\\u2581": 259, "a": 260, "b": 261,
         "\\u2581a": 262, "ab": 263, "\\u2581\\u2581": 264},
       "merges": ["\\u2581 a", "a b", "\\u2581 \\u2581"]}}
    """
        .formatted(vocabulary);
  }

  /** A word list without its unknown token: texts with other words cannot be encoded. */
  public static final String WORDS_ONLY =
      """
      {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
       "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
       "decoder": null,
       "model": {"type": "WordLevel", "vocab": {"yes": 0, "no": 1}, "unk_token": "[UNK]"}}
      """;

  /** SentencePiece's kind: pieces with scores, in an array. */
  public static final String UNIGRAM =
      """
      {"version": "1.0", "truncation": null, "padding": null,
       "added_tokens": [{"id": 0, "content": "<unk>", "single_word": false, "lstrip": false,
         "rstrip": false, "normalized": false, "special": true},
        {"id": 1, "content": "<pad>", "single_word": false, "lstrip": false,
         "rstrip": false, "normalized": false, "special": true}],
       "normalizer": null,
       "pre_tokenizer": {"type": "Metaspace", "replacement": "\\u2581", "prepend_scheme": "always",
         "split": true},
       "post_processor": null,
       "decoder": {"type": "Metaspace", "replacement": "\\u2581", "prepend_scheme": "always",
         "split": true},
       "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
         "vocab": [["<unk>", 0.0], ["<pad>", 0.0], ["\\u2581yes", -1.0], ["\\u2581", -2.0],
           ["no", -2.5], ["\\u2581no", -9.0]]}}
      """;

  /** Writes {@code tokenizer.json} into the folder. */
  public static Path write(Path folder, String json) {
    try {
      return Files.writeString(folder.resolve("tokenizer.json"), json);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
