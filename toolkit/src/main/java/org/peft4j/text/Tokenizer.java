package org.peft4j.text;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.io.UncheckedIOException;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongFunction;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A Hugging Face tokenizer read from its {@code tokenizer.json} (WordPiece, BPE, Unigram,
 * WordLevel).
 *
 * <p>Padding and truncation stored in the file are ignored: texts come back whole unless {@link
 * #maxLength} asks otherwise, and rows are padded by {@link Batch}. Special tokens are added unless
 * {@link #withSpecialTokens} says no.
 *
 * <p>Safe for use by several threads. A setting makes a new view of the same tokenizer; closing one
 * closes all, once the calls under way have returned.
 */
public final class Tokenizer implements AutoCloseable {
  // DJL's own encode() also builds strings and spans, three times the work, and its batch call ends
  // the JVM over a text that a single call throws for.
  private static final TokenizersLibrary NATIVE = TokenizersLibrary.LIB;

  private final TokenizerFile file;
  private final ReentrantReadWriteLock closing; // held for reading while the native side works
  private final boolean specialTokens;
  private final Truncation truncation;

  private Tokenizer(
      TokenizerFile file,
      ReentrantReadWriteLock closing,
      boolean specialTokens,
      Truncation truncation) {
    this.file = file;
    this.closing = closing;
    this.specialTokens = specialTokens;
    this.truncation = truncation;
  }

  /**
   * Reads a tokenizer.
   *
   * @param path a {@code tokenizer.json}, or a folder that holds one
   * @throws IllegalArgumentException when there is no such file or it is not a tokenizer
   * @throws UncheckedIOException when it cannot be read
   */
  public static Tokenizer load(Path path) {
    return new Tokenizer(
        TokenizerFile.read(path), new ReentrantReadWriteLock(), true, Truncation.NONE);
  }

  /**
   * Makes a tokenizer of what a GGUF file says.
   *
   * @param origin that file, for messages
   * @throws IllegalArgumentException when it is of a kind that is not known here, or malformed
   */
  public static Tokenizer of(GgmlVocabulary vocabulary, Path origin) {
    return new Tokenizer(
        TokenizerFile.of(vocabulary, origin), new ReentrantReadWriteLock(), true, Truncation.NONE);
  }

  /** A view that cuts the end off texts of more than {@code n} tokens, special ones included. */
  public Tokenizer maxLength(int n) {
    return maxLength(n, Side.RIGHT);
  }

  /**
   * A view that cuts texts to {@code n} tokens, special ones included. Of a pair the longer text is
   * cut first.
   *
   * @param cut the end of a text that goes
   * @throws IllegalArgumentException when special tokens leave no room for text
   */
  public Tokenizer maxLength(int n, Side cut) {
    return view(specialTokens, new Truncation(n, cut));
  }

  /** A view that adds special tokens such as {@code [CLS]}, or not. Default: it does. */
  public Tokenizer withSpecialTokens(boolean add) {
    return view(add, truncation);
  }

  private Tokenizer view(boolean special, Truncation cut) {
    long[] added = encoding(h -> NATIVE.encode(h, "", special), "", NATIVE::getSpecialTokenMask);
    cut.requireRoom(Arrays.stream(added).sum());
    return new Tokenizer(file, closing, special, cut);
  }

  /** The tokens of one text. */
  public Tokens encode(String text) {
    String clean = Spans.wellFormed(text);
    return encoding(h -> NATIVE.encode(h, clean, specialTokens), clean, this::tokens);
  }

  /** The tokens of one text, with special tokens such as {@code <s>} around it or not. */
  public Tokens encode(String text, boolean addSpecialTokens) {
    return withSpecialTokens(addSpecialTokens).encode(text);
  }

  /** The tokens of two texts read as one, such as a question and a passage. */
  public Tokens encodePair(String first, String second) {
    String a = Spans.wellFormed(first);
    String b = Spans.wellFormed(second);
    return encoding(h -> NATIVE.encodeDual(h, a, b, specialTokens), a, this::tokens);
  }

  /** The tokens of many texts, in their order; uses all processors. */
  public List<Tokens> encodeAll(List<String> texts) {
    return texts.parallelStream().map(this::encode).toList();
  }

  /**
   * The tokens of many texts, padded to the longest of them with {@link #padId}.
   *
   * @param padding {@link Side#LEFT} for a causal model that generates, {@link Side#RIGHT} else
   */
  public Batch batch(List<String> texts, Side padding) {
    return Batch.of(encodeAll(texts), padId(), padding);
  }

  /**
   * The tokens of a conversation in the form that the model was trained on.
   *
   * @param addGenerationPrompt whether it ends where the model's next answer begins
   * @throws IllegalArgumentException when the model has no chat template, or it refuses the
   *     messages
   */
  public Tokens encode(List<Message> messages, boolean addGenerationPrompt) {
    return encode(chatTemplate().render(messages, addGenerationPrompt), false);
  }

  /** Whether its files hold a chat template. */
  public boolean hasChatTemplate() {
    return file.chat().template() != null;
  }

  /**
   * The chat template in the tokenizer's folder, read anew: keep it.
   *
   * @throws IllegalArgumentException when there is none, or it cannot be read
   */
  public ChatTemplate chatTemplate() {
    String template = file.chat().template();
    return file.source() != null && template != null
        ? ChatTemplate.of(template, file.specialTokens())
        : ChatTemplate.load(TokenizerFile.folder(file.path()));
  }

  /** The part of the text behind each token of {@link #encode}; empty for special tokens. */
  public List<Span> spans(String text) {
    String clean = Spans.wellFormed(text);
    int[] chars = Spans.charsOfCodePoints(clean);
    return encoding(
        h -> NATIVE.encode(h, clean, specialTokens),
        clean,
        e -> {
          @Nullable CharSpan[] spans = NATIVE.getTokenCharSpans(e);
          return Arrays.stream(kept(e, spans.length))
              .mapToObj(i -> Spans.of(spans[i], chars))
              .toList();
        });
  }

  private Tokens tokens(long encoding) {
    long[] ids = NATIVE.getTokenIds(encoding);
    long[] types = NATIVE.getTypeIds(encoding);
    if (ids.length > truncation.maxLength()) {
      int[] kept = kept(encoding, ids.length);
      ids = Truncation.pick(ids, kept);
      types = Truncation.pick(types, kept);
    }
    return new Tokens(ids, Tokens.ones(ids.length), types);
  }

  private int[] kept(long encoding, int length) {
    return truncation.kept(
        length, NATIVE.getSpecialTokenMask(encoding), NATIVE.getSequenceIds(encoding));
  }

  /** Makes a native encoding, reads it and frees it. */
  private <T> T encoding(LongUnaryOperator encode, String text, LongFunction<T> read) {
    return open(
        tokenizer -> {
          long encoding;
          try {
            encoding = encode.applyAsLong(tokenizer);
          } catch (RuntimeException e) { // the native side has no class of its own
            throw new IllegalArgumentException(
                "%s: cannot encode \"%s\"\nfound: %s"
                    .formatted(
                        file.path(),
                        text.length() > 60 ? text.substring(0, 60) + "..." : text,
                        e.getMessage()),
                e);
          }
          try {
            return read.apply(encoding);
          } finally {
            NATIVE.deleteEncoding(encoding);
          }
        });
  }

  /** Runs with the native tokenizer, which stays until the call is over. */
  private <T> T open(LongFunction<T> body) {
    closing.readLock().lock();
    try {
      if (!isOpen()) {
        throw new IllegalStateException(file.path() + ": the tokenizer was closed; load it again");
      }
      return body.apply(file.tokenizer().getHandle());
    } finally {
      closing.readLock().unlock();
      Reference.reachabilityFence(file); // its finalizer frees what the handle points to
    }
  }

  /**
   * The text of token ids. Ids that the vocabulary lacks stand for nothing.
   *
   * @throws IllegalArgumentException for a negative id, such as the -100 of labels to ignore
   */
  public String decode(long[] ids, boolean skipSpecialTokens) {
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            "not a token id\nexpected: 0 to %d\nfound: %d at index %d"
                .formatted(vocabularySize() - 1, ids[i], i));
      }
    }
    return open(tokenizer -> NATIVE.decode(tokenizer, ids, skipSpecialTokens));
  }

  /**
   * The id of a token by its name, such as {@code [PAD]}.
   *
   * @throws IllegalArgumentException when the vocabulary lacks it; names the special tokens
   */
  public int tokenId(String name) {
    Integer id = file.vocabulary().id(name);
    if (id == null) {
      throw new IllegalArgumentException(
          "%s: no token \"%s\"\nexpected: a token of its vocabulary; added ones are %s"
              .formatted(file.path(), name, file.vocabulary().added()));
    }
    return id;
  }

  /** Whether the vocabulary has a token of that id. */
  public boolean hasToken(long id) {
    return file.vocabulary().token(id) != null;
  }

  /** Whether the vocabulary has a token of that name. */
  public boolean hasToken(String name) {
    return file.vocabulary().id(name) != null;
  }

  /**
   * The name of a token, such as {@code ##ing}.
   *
   * @throws IllegalArgumentException when the vocabulary lacks the id
   */
  public String token(long id) {
    String name = file.vocabulary().token(id);
    if (name == null) {
      throw new IllegalArgumentException(
          "%s: no token %d\nexpected: 0 to %d".formatted(file.path(), id, vocabularySize() - 1));
    }
    return name;
  }

  /** Rows an embedding needs for this tokenizer: the largest id, added tokens included, plus 1. */
  public int vocabularySize() {
    return file.vocabulary().size();
  }

  /**
   * The id to pad with: {@code pad_token} of {@code tokenizer_config.json}, else what the file's
   * own padding uses, else that of a token of the usual name, else {@code eos_token}, as users of
   * causal models set it by hand, else 0. Under an attention mask any id does.
   */
  public int padId() {
    OptionalInt pad = specialId("pad_token");
    OptionalInt own = pad.isPresent() ? pad : file.vocabulary().padId();
    return own.isPresent() ? own.getAsInt() : eosId().orElse(0);
  }

  /** The id that begins a text, where {@code tokenizer_config.json} names one. */
  public OptionalInt bosId() {
    return specialId("bos_token");
  }

  /** The id that ends a text, where {@code tokenizer_config.json} names one. */
  public OptionalInt eosId() {
    return specialId("eos_token");
  }

  private OptionalInt specialId(String part) {
    String name = file.specialTokens().get(part);
    Integer id = name == null ? null : file.vocabulary().id(name);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /**
   * Special tokens by their part, such as {@code bos_token}, as {@code tokenizer_config.json} and
   * {@code special_tokens_map.json} beside the file name them.
   */
  public Map<String, String> specialTokens() {
    return file.specialTokens();
  }

  /** Names of the tokens added on top of the vocabulary, special ones among them. */
  public Set<String> addedTokens() {
    return Collections.unmodifiableSet(file.vocabulary().added());
  }

  /** The {@code tokenizer.json} or GGUF file it was read from. */
  public Path path() {
    return file.path();
  }

  /** What its files say of the model's chat format. */
  public ChatSource chatSource() {
    return file.chat();
  }

  /**
   * What a GGUF file says of it.
   *
   * @throws IllegalArgumentException when it is of a kind that GGUF has no words for
   */
  public GgmlVocabulary ggml() {
    return file.ggml();
  }

  /** The text of its {@code tokenizer.json}. */
  public String json() {
    return file.json();
  }

  /** Whether no view has been closed. */
  public boolean isOpen() {
    return !file.tokenizer().isReleased();
  }

  /** Closes this tokenizer and all its views. */
  @Override
  public void close() {
    closing.writeLock().lock();
    try {
      file.tokenizer().close();
    } finally {
      closing.writeLock().unlock();
    }
  }

  @Override
  public String toString() {
    String length = truncation.equals(Truncation.NONE) ? "" : ", at most " + truncation.maxLength();
    return "tokenizer %s: %,d tokens%s%s"
        .formatted(
            file.path().getFileName(),
            vocabularySize(),
            specialTokens ? "" : ", none added",
            length);
  }
}
