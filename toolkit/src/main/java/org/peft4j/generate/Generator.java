package org.peft4j.generate;

import ai.djl.nn.Block;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.PeftModel;
import org.peft4j.model.Config;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.tensor.Seed;
import org.peft4j.text.Message;
import org.peft4j.text.TokenStream;
import org.peft4j.text.Tokenizer;

/**
 * Continues texts with a language model, adapted or not. Every call returns a new generator, so one
 * can be kept and varied:
 *
 * <pre>{@code
 * var g = Models.generator(model).maxTokens(64);
 * g.chat("What is LoRA?");                                  // greedy
 * g.temperature(0.8).topP(0.9).seed(3).stream(System.out::print).chat("Tell a story.");
 * }</pre>
 *
 * <p>The random choice at step n of row r is a function of the seed, n and r alone.
 */
public final class Generator {
  private final Decoder.Start decoders;
  private final Tokenizer tokenizer;
  private final Set<Long> endTokens;
  private final @Nullable Long start;
  private final Settings settings;

  private record Settings(
      int maxTokens,
      Sampling sampling,
      long seed,
      List<String> stops,
      @Nullable Consumer<String> listener,
      Beams beams) {}

  private Generator(
      Decoder.Start decoders,
      Tokenizer tokenizer,
      Set<Long> endTokens,
      @Nullable Long start,
      Settings settings) {
    this.decoders = decoders;
    this.tokenizer = tokenizer;
    this.endTokens = endTokens;
    this.start = start;
    this.settings = settings;
  }

  /**
   * A generator of {@code model}: greedy, at most 256 new tokens.
   *
   * @param model a {@link Pretrained} language model, causal or with an encoder, or one with
   *     adapters
   */
  public static Generator of(Block model) {
    Block base = model instanceof PeftModel tuned ? tuned.base() : model;
    if (!(base instanceof Pretrained pretrained)
        || (pretrained.task() != Task.CAUSAL_LM && pretrained.task() != Task.SEQ2SEQ_LM)) {
      throw new IllegalArgumentException(
          "model\nexpected: a causal language model, or one with an encoder\nfound: "
              + (base instanceof Pretrained p ? p : base.getClass().getSimpleName()));
    }
    Long start = pretrained.task() == Task.SEQ2SEQ_LM ? pretrained.decoderStart() : null;
    Decoder.Start decoders =
        start == null
            ? (prompts, pad) -> Decoding.continuing(model, prompts, pad)
            : (prompts, pad) -> Decoding.answering(model, prompts, pad, start);
    return of(decoders, pretrained.tokenizer(), pretrained.config(), start);
  }

  /**
   * A generator on something else that scores tokens, such as a graph: greedy, at most 256 new
   * tokens.
   *
   * @param config says which tokens end a text, beside the tokenizer's own; may be null
   * @param start the token that the decoder behind an encoder begins with; null where prompts are
   *     continued
   */
  public static Generator of(
      Decoder.Start decoders, Tokenizer tokenizer, @Nullable Config config, @Nullable Long start) {
    Set<Long> ends = new TreeSet<>();
    tokenizer.eosId().ifPresent(id -> ends.add((long) id));
    Object more = config == null ? null : config.values().get("eos_token_id");
    if (more instanceof Number n) {
      ends.add(n.longValue());
    } else if (more instanceof List<?> list) {
      list.forEach(o -> ends.add(((Number) o).longValue()));
    }
    return new Generator(
        decoders,
        tokenizer,
        ends,
        start,
        new Settings(256, Sampling.GREEDY, 0, List.of(), null, Beams.ONE));
  }

  private Generator with(Settings s) {
    return new Generator(decoders, tokenizer, endTokens, start, s);
  }

  /** At most so many new tokens; default 256. */
  public Generator maxTokens(int n) {
    if (n < 1) {
      throw new IllegalArgumentException("maxTokens: expected at least 1, found " + n);
    }
    Settings s = settings;
    return with(new Settings(n, s.sampling, s.seed, s.stops, s.listener, s.beams));
  }

  /** How tokens are chosen. */
  public Generator sampling(Sampling sampling) {
    Settings s = settings;
    return with(new Settings(s.maxTokens, sampling, s.seed, s.stops, s.listener, s.beams));
  }

  /** Takes the highest score at every step; the default. */
  public Generator greedy() {
    Sampling p = settings.sampling;
    return sampling(new Sampling(0, 0, 1, 0, p.repetitionPenalty()));
  }

  /** Draws tokens by their scores divided by {@code t}; 0 is greedy. */
  public Generator temperature(double t) {
    Sampling p = settings.sampling;
    return sampling(new Sampling(t, p.topK(), p.topP(), p.minP(), p.repetitionPenalty()));
  }

  /** Draws from the {@code k} best tokens; 0 for all. */
  public Generator topK(int k) {
    Sampling p = settings.sampling;
    return sampling(new Sampling(drawn(p), k, p.topP(), p.minP(), p.repetitionPenalty()));
  }

  /** Draws from the smallest set of best tokens whose probabilities reach {@code p}. */
  public Generator topP(double p) {
    Sampling s = settings.sampling;
    return sampling(new Sampling(drawn(s), s.topK(), p, s.minP(), s.repetitionPenalty()));
  }

  /** Draws from tokens that have at least this part of the best one's probability. */
  public Generator minP(double p) {
    Sampling s = settings.sampling;
    return sampling(new Sampling(drawn(s), s.topK(), s.topP(), p, s.repetitionPenalty()));
  }

  /** A filter alone asks for drawing, at temperature 1. */
  private static double drawn(Sampling s) {
    return s.temperature() == 0 ? 1 : s.temperature();
  }

  /** Divides scores of tokens that were seen before, prompt included; 1 for none. */
  public Generator repetitionPenalty(double penalty) {
    Sampling p = settings.sampling;
    return sampling(new Sampling(p.temperature(), p.topK(), p.topP(), p.minP(), penalty));
  }

  /** Seed of the random choices; default 0. */
  public Generator seed(long seed) {
    Settings s = settings;
    return with(new Settings(s.maxTokens, s.sampling, seed, s.stops, s.listener, s.beams));
  }

  /** Ends a text before the first of these. */
  public Generator stop(String... strings) {
    Settings s = settings;
    return with(
        new Settings(s.maxTokens, s.sampling, s.seed, List.of(strings), s.listener, s.beams));
  }

  /** Tells {@code listener} every piece of text as soon as it cannot change; for single prompts. */
  public Generator stream(Consumer<String> listener) {
    Settings s = settings;
    return with(new Settings(s.maxTokens, s.sampling, s.seed, s.stops, listener, s.beams));
  }

  /**
   * Keeps so many continuations beside each other and gives the best in the end; 1, the default,
   * searches nothing. Neither draws nor streams: what is best is known at the end only.
   */
  public Generator beams(int n) {
    return beams(new Beams(n, settings.beams.lengthPenalty(), settings.beams.early()));
  }

  /**
   * With beams: a continuation's log-probability is divided by its length to the power of this
   * before continuations are compared; default 1, more favours long ones.
   */
  public Generator lengthPenalty(double p) {
    return beams(new Beams(settings.beams.number(), p, settings.beams.early()));
  }

  /**
   * With beams: whether a text is done as soon as there are as many ended continuations as beams;
   * by default when no open one promises more.
   */
  public Generator earlyStopping(boolean early) {
    return beams(new Beams(settings.beams.number(), settings.beams.lengthPenalty(), early));
  }

  private Generator beams(Beams beams) {
    Settings s = settings;
    return with(new Settings(s.maxTokens, s.sampling, s.seed, s.stops, s.listener, beams));
  }

  // ---- running

  /** Continues a text as it stands; a model with an encoder answers it. */
  public Generated complete(String prompt) {
    return run(new long[][] {tokenizer.encode(prompt).ids()}).get(0);
  }

  /** Answers one message of a user, by the model's chat template. */
  public Generated chat(String message) {
    return chat(List.of(Message.user(message)));
  }

  /** Answers a conversation, by the model's chat template. */
  public Generated chat(List<Message> messages) {
    return run(new long[][] {tokenizer.encode(messages, true).ids()}).get(0);
  }

  /** Continues several texts in one batch, whatever their lengths. */
  public List<Generated> completeAll(List<String> prompts) {
    return run(prompts.stream().map(p -> tokenizer.encode(p).ids()).toArray(long[][]::new));
  }

  /**
   * Continues rows of token ids.
   *
   * @throws IllegalArgumentException if a row is empty
   */
  public List<Generated> run(long[][] prompts) {
    for (int r = 0; r < prompts.length; r++) {
      if (prompts[r].length == 0) {
        throw new IllegalArgumentException(
            "prompt " + r + "\nexpected: at least one token\nfound: none");
      }
    }
    if (settings.listener != null && prompts.length > 1) {
      throw new IllegalArgumentException("stream: expected one prompt, found " + prompts.length);
    }
    if (prompts.length == 0) {
      return List.of();
    }
    boolean searches = settings.beams.number() > 1;
    if (searches && (settings.listener != null || settings.sampling.temperature() > 0)) {
      throw new IllegalArgumentException(
          "beams\nexpected: no temperature or filter, and no stream\nfound: "
              + settings.beams.number()
              + " beams with "
              + (settings.listener != null ? "a stream" : settings.sampling)
              + "\nfix: beams(1), or greedy() without stream");
    }
    long pad = tokenizer.padId();
    Long begin = start;
    List<Text> texts = new ArrayList<>();
    long[][] seen = new long[prompts.length][];
    for (int r = 0; r < prompts.length; r++) {
      seen[r] = begin == null ? prompts[r] : new long[] {begin};
      texts.add(new Text(r, seen[r]));
    }
    try (Decoder decoding = decoders.of(prompts, pad)) {
      if (searches) {
        BeamSearch search =
            new BeamSearch(settings.beams, settings.sampling, endTokens, settings.maxTokens);
        List<long[]> best = search.run(decoding, seen);
        texts.forEach(t -> t.addAll(best.get(t.row)));
      } else {
        write(decoding, texts, pad);
      }
    }
    return texts.stream().map(Text::finish).toList();
  }

  private void write(Decoder decoding, List<Text> texts, long pad) {
    float[][] scores = decoding.begin();
    long read = System.nanoTime();
    texts.forEach(t -> t.read = read);
    for (int step = 0; step < settings.maxTokens; step++) {
      long[][] next = new long[texts.size()][1];
      boolean going = false;
      for (Text t : texts) {
        next[t.row][0] = t.ending == null ? t.choose(scores[t.row], step) : pad;
        going |= t.ending == null;
      }
      if (!going || step + 1 == settings.maxTokens) {
        break;
      }
      scores = decoding.read(next);
    }
  }

  /** One text being written. */
  private final class Text {
    private final int row;
    private final long started = System.nanoTime();
    private final TokenStream stream;
    private final StringBuilder text = new StringBuilder();
    private long[] seen;
    private int length;
    private final int prompt;
    private long read;
    private long ended;
    private Generated.@Nullable Ending ending;

    Text(int row, long[] promptIds) {
      this.row = row;
      this.prompt = promptIds.length;
      this.seen = Arrays.copyOf(promptIds, promptIds.length + settings.maxTokens);
      this.length = promptIds.length;
      this.stream = TokenStream.of(tokenizer, settings.stops, true);
    }

    long choose(float[] scores, int step) {
      Seed seed = Seed.of(settings.seed).at("generate").at(row).at(step);
      long token = settings.sampling.choose(scores, seen, length, seed);
      add(token);
      return token;
    }

    void addAll(long[] tokens) {
      read = started; // what was searched counts as written
      for (int i = 0; i < tokens.length && ending == null; i++) {
        add(tokens[i]);
      }
    }

    private void add(long token) {
      seen[length++] = token;
      if (endTokens.contains(token)) {
        ending = Generated.Ending.END_TOKEN;
      } else {
        say(stream.add(token));
        if (stream.isStopped()) {
          ending = Generated.Ending.STOP_STRING;
        }
      }
      ended = System.nanoTime();
    }

    private void say(String piece) {
      text.append(piece);
      if (settings.listener != null && !piece.isEmpty()) {
        settings.listener.accept(piece);
      }
    }

    Generated finish() {
      say(stream.finish());
      List<Long> tokens = Arrays.stream(seen, prompt, length).boxed().toList();
      double seconds = (ended - started) / 1e9;
      double writing = Math.max(1e-9, (ended - read) / 1e9);
      double rate = (tokens.size() - 1) / writing; // the first came with the prompt
      return new Generated(
          text.toString(),
          tokens,
          ending == null ? Generated.Ending.LENGTH : ending,
          seconds,
          rate);
    }
  }
}
