package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;

/**
 * Prompt tuning (Lester et al., arXiv 2104.08691): k trained vectors {@code [k, hidden]} stand in
 * front of the token embeddings of every text.
 *
 * @param tokens k, at least 1
 * @param start what the vectors are at first
 * @param text what they are made of with {@link Start#TEXT}
 */
public record PromptTuning(int tokens, Start start, @Nullable Text text) implements Prompt {
  /** What the vectors are at first, by Hugging Face's names. */
  public enum Start {
    /** Normal, deviation 1. */
    RANDOM,
    /** Embeddings of tokens drawn from the vocabulary. */
    SAMPLE_VOCAB,
    /** Embeddings of the tokens of a text, cut or repeated. */
    TEXT
  }

  /**
   * A text to start from.
   *
   * @param tokenizer name of the tokenizer, for the file
   * @param ids its tokens; empty where an adapter was loaded, whose vectors come from its file
   */
  public record Text(String text, String tokenizer, List<Long> ids) {
    public Text {
      ids = List.copyOf(ids);
    }
  }

  /** 20 random vectors. */
  public PromptTuning() {
    this(20, Start.RANDOM, null);
  }

  public PromptTuning {
    Virtual.check(tokens);
    if ((start == Start.TEXT) != (text != null)) {
      throw new IllegalArgumentException(
          "prompt_tuning_init_text\nexpected: a text if and only if prompt_tuning_init is TEXT\nfound: "
              + (text == null ? "none" : text.text));
    }
  }

  PromptTuning withTokens(int n) {
    return new PromptTuning(n, start, text);
  }

  /** The same that starts from a text's tokens. */
  PromptTuning from(Text other) {
    if (other.ids.isEmpty()) {
      throw new IllegalArgumentException("fromText: the text has no tokens");
    }
    return new PromptTuning(tokens, Start.TEXT, other);
  }

  @Override
  public String name() {
    return "prompt_tuning";
  }

  @Override
  public String peftType() {
    return "PROMPT_TUNING";
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    Init init =
        switch (start) {
          case RANDOM -> Init.normal(1);
          case SAMPLE_VOCAB ->
              (c, shape) ->
                  Virtual.rows(c, tokens, i -> c.seed().below(i, (int) c.w0().getShape().get(0)));
          case TEXT -> this::ofText;
        };
    theta.trained(EMBEDDINGS, new Shape(tokens, model.hidden()), init);
  }

  private NDArray ofText(Init.Context c, Shape shape) {
    List<Long> ids = text == null ? List.of() : text.ids;
    return ids.isEmpty()
        ? Init.ZEROS.make(c, shape) // the file has them
        : Virtual.rows(c, tokens, i -> ids.get(i % ids.size()));
  }

  @Override
  public NDArray vectors(View view) {
    return view.get(EMBEDDINGS);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put(Virtual.TOKENS, tokens);
    c.put("prompt_tuning_init", start.name());
    c.put("prompt_tuning_init_text", text == null ? Entries.NULL : text.text);
    c.put("tokenizer_name_or_path", text == null ? Entries.NULL : text.tokenizer);
    c.put("tokenizer_kwargs", Entries.NULL);
    return c;
  }

  static PromptTuning fromConfig(Entries c) {
    String written = c.text("prompt_tuning_init", "RANDOM").toUpperCase(Locale.ROOT);
    Start start = Virtual.oneOf("prompt_tuning_init", written, Start.values());
    c.accept("tokenizer_kwargs");
    String tokenizer = c.text("tokenizer_name_or_path", "");
    String text = c.text("prompt_tuning_init_text", "");
    return new PromptTuning(
        c.integer(Virtual.TOKENS, 20),
        start,
        start == Start.TEXT ? new Text(text, tokenizer, List.of()) : null);
  }

  @Override
  public String summary() {
    return tokens
        + " virtual tokens, "
        + switch (start) {
          case RANDOM -> "random at first";
          case SAMPLE_VOCAB -> "words of the vocabulary at first";
          case TEXT -> "at first \"" + (text == null ? "" : text.text) + "\"";
        };
  }

  /** Prompt tuning's options, for {@code Peft.promptTuning(model)}. */
  public static final class Options<R> extends Fluent<PromptTuning, Options<R>, R> {
    private final Function<String, Text> tokenize;

    private Options(Draft<PromptTuning, R> draft, Function<String, Text> tokenize) {
      super(draft, other -> new Options<>(other, tokenize));
      this.tokenize = tokenize;
    }

    /**
     * The options.
     *
     * @param tokenize makes of a text its tokens, as the model has them
     */
    public static <R> Options<R> on(Target<R> target, Function<String, Text> tokenize) {
      return new Options<>(draft(new PromptTuning(), target), tokenize);
    }

    /** Number of virtual tokens; default 20. */
    public Options<R> tokens(int n) {
      return with(tuner().withTokens(n));
    }

    /** Starts from embeddings of tokens drawn from the vocabulary rather than from noise. */
    public Options<R> fromVocabulary() {
      return with(new PromptTuning(tuner().tokens, Start.SAMPLE_VOCAB, null));
    }

    /** Starts from the embeddings of a text's tokens, cut or repeated to fit. */
    public Options<R> fromText(String text) {
      return with(tuner().from(tokenize.apply(text)));
    }
  }
}
