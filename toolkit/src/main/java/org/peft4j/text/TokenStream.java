package org.peft4j.text;

import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Tokens to text, one at a time. A piece of text comes out as soon as no later token can change it:
 * not the first bytes of a character, not what may become a stop string. All pieces together are
 * what {@link Tokenizer#decode} makes of all tokens, up to the stop string.
 *
 * <pre>{@code
 * var stream = TokenStream.of(tokenizer, "\nUser:");
 * while (!stream.isStopped() && more()) {
 *   System.out.print(stream.add(nextToken()));
 * }
 * System.out.print(stream.finish());
 * }</pre>
 *
 * <p>For tokenizers of generating models, byte-level or with SentencePiece's marks. One thread.
 */
public final class TokenStream {
  private static final char INCOMPLETE = '\uFFFD'; // what bytes decode to that are no character yet

  private static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");

  private final Tokenizer tokenizer;
  private final boolean skipSpecialTokens;
  private final StopStrings stops;

  // The tokens that matter still. Those before `shown` have come out; they stay in front because
  // the first token of a text may lose its space.
  private long[] window = new long[16];
  private int length;
  private int shown;
  private boolean afterByte;
  private boolean finished;

  private TokenStream(Tokenizer tokenizer, StopStrings stops, boolean skipSpecialTokens) {
    this.tokenizer = tokenizer;
    this.stops = stops;
    this.skipSpecialTokens = skipSpecialTokens;
  }

  /** A stream without special tokens that ends before the first of {@code stopStrings}. */
  public static TokenStream of(Tokenizer tokenizer, String... stopStrings) {
    return of(tokenizer, List.of(stopStrings), true);
  }

  /**
   * A stream that ends before the first of {@code stopStrings}.
   *
   * @param skipSpecialTokens whether special tokens such as {@code </s>} stand for nothing
   */
  public static TokenStream of(
      Tokenizer tokenizer, List<String> stopStrings, boolean skipSpecialTokens) {
    return new TokenStream(tokenizer, new StopStrings(stopStrings), skipSpecialTokens);
  }

  /**
   * Takes the next token.
   *
   * @return the text that is certain now, often empty
   */
  public String add(long id) {
    if (finished) {
      throw new IllegalStateException("a token after finish()\nfix: make a new TokenStream");
    }
    if (isStopped()) {
      return "";
    }
    if (length == window.length) {
      window = Arrays.copyOf(window, 2 * length);
    }
    window[length++] = id;
    afterByte = isByte(id) || (afterByte && isSkipped(id));
    if (afterByte) {
      return ""; // a bad byte behind it would change what the bytes before stand for
    }
    String before = decode(0, shown);
    String now = decode(0, length);
    if (now.length() <= before.length()
        || now.charAt(now.length() - 1) == INCOMPLETE
        || !now.startsWith(before)) {
      return "";
    }
    String piece = now.substring(before.length());
    forgetShown();
    return stops.add(piece);
  }

  /** The rest, when no more tokens come. */
  public String finish() {
    if (finished) {
      return "";
    }
    finished = true;
    if (isStopped()) {
      return "";
    }
    String before = decode(0, shown);
    String now = decode(0, length);
    return stops.add(now.startsWith(before) ? now.substring(before.length()) : "") + stops.finish();
  }

  /** Whether a stop string was met; nothing comes out after that. */
  public boolean isStopped() {
    return stops.found() != null;
  }

  /** The stop string that was met, or null. */
  public @Nullable String stoppedBy() {
    return stops.found();
  }

  /** Whether it is a token of SentencePiece for one byte, such as {@code <0xE2>}. */
  private boolean isByte(long id) {
    return tokenizer.hasToken(id) && BYTE.matcher(tokenizer.token(id)).matches();
  }

  private boolean isSkipped(long id) {
    return tokenizer.decode(new long[] {id}, skipSpecialTokens).isEmpty();
  }

  private void forgetShown() {
    if (!decode(shown, length).isEmpty()) {
      System.arraycopy(window, shown, window, 0, length - shown);
      length -= shown;
    }
    shown = length;
  }

  private String decode(int from, int to) {
    return from == to
        ? ""
        : tokenizer.decode(Arrays.copyOfRange(window, from, to), skipSpecialTokens);
  }
}
