package org.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("fast")
class TokenStreamTest {
  /** Kinds of tokenizers that models which generate have. */
  enum Kind {
    BYTES(TinyTokenizer.ALL_BYTES),
    SENTENCE_PIECE(TinyTokenizer.BYTE_FALLBACK),
    UNIGRAM(TinyTokenizer.UNIGRAM);

    final String json;

    Kind(String json) {
      this.json = json;
    }
  }

  @TempDir Path folder;

  private Tokenizer tokenizer(Kind kind) {
    return Tokenizer.load(TinyTokenizer.write(folder, kind.json));
  }

  private static List<String> pieces(TokenStream stream, long[] ids) {
    List<String> out = new ArrayList<>();
    for (long id : ids) {
      out.add(stream.add(id));
    }
    out.add(stream.finish());
    return out;
  }

  @Test
  void a_character_of_several_tokens_comes_out_whole() {
    try (Tokenizer tokenizer = tokenizer(Kind.BYTES)) {
      long[] ids = tokenizer.encode("a\u00e9\ud83d\ude00b").ids();
      assertThat(ids).hasSize(8);
      assertThat(pieces(TokenStream.of(tokenizer), ids))
          .containsExactly("a", "", "\u00e9", "", "", "", "\ud83d\ude00", "b", "");
    }
  }

  @ParameterizedTest
  @EnumSource
  void pieces_of_any_text_join_to_what_decode_gives(Kind kind) {
    Random random = new Random(3);
    try (Tokenizer tokenizer = tokenizer(kind)) {
      for (int i = 0; i < 300; i++) {
        long[] ids = tokenizer.encode(randomText(random, kind)).ids();
        assertSame(tokenizer, ids);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void pieces_of_any_tokens_join_to_what_decode_gives(Kind kind) {
    Random random = new Random(4);
    try (Tokenizer tokenizer = tokenizer(kind)) {
      for (int i = 0; i < 600; i++) {
        long[] ids = random.longs(random.nextInt(30), 0, tokenizer.vocabularySize()).toArray();
        assertSame(tokenizer, ids);
      }
    }
  }

  private static void assertSame(Tokenizer tokenizer, long[] ids) {
    for (boolean skip : new boolean[] {true, false}) {
      List<String> pieces = pieces(TokenStream.of(tokenizer, List.of(), skip), ids);
      assertThat(String.join("", pieces)).isEqualTo(tokenizer.decode(ids, skip));
      StringBuilder sofar = new StringBuilder();
      for (String piece : pieces.subList(0, pieces.size() - 1)) {
        sofar.append(piece);
        assertThat(
                sofar.length() == 0 || !Character.isHighSurrogate(sofar.charAt(sofar.length() - 1)))
            .isTrue();
      }
    }
  }

  private static String randomText(Random random, Kind kind) {
    StringBuilder text = new StringBuilder();
    for (int n = random.nextInt(20); n > 0; n--) {
      if (kind == Kind.UNIGRAM) {
        text.append(random.nextBoolean() ? " " : "").append(random.nextBoolean() ? "yes" : "no");
        continue;
      }
      int c =
          switch (random.nextInt(5)) {
            case 0 -> 'a' + random.nextInt(4);
            case 1 -> ' ';
            case 2 -> random.nextInt(0x300);
            case 3 -> 0x1F300 + random.nextInt(0x300);
            default -> random.nextInt(Character.MAX_CODE_POINT + 1);
          };
      text.appendCodePoint(c >= 0xD800 && c < 0xE000 ? 'x' : c);
    }
    return text.toString();
  }

  @Test
  void text_streams_and_is_not_kept_to_the_end() {
    try (Tokenizer tokenizer = tokenizer(Kind.BYTES)) {
      TokenStream stream = TokenStream.of(tokenizer, "stop");
      int late = 0;
      for (long id : tokenizer.encode("abcab ab abc".repeat(100)).ids()) {
        late += stream.add(id).isEmpty() ? 1 : 0;
      }
      assertThat(late).isZero();
    }
  }

  @Test
  void nothing_of_a_stop_string_comes_out() {
    try (Tokenizer tokenizer = tokenizer(Kind.BYTES)) {
      TokenStream stream = TokenStream.of(tokenizer, "bcd", "b!");
      long[] ids = tokenizer.encode("a b c bcb bc!ab!b").ids();
      StringBuilder out = new StringBuilder();
      int read = 0;
      while (!stream.isStopped()) {
        out.append(stream.add(ids[read++]));
        assertThat("a b c bcb bc!a").startsWith(out.toString());
      }
      assertThat(out + stream.finish()).isEqualTo("a b c bcb bc!a");
      assertThat(stream.stoppedBy()).isEqualTo("b!");
    }
  }

  @Test
  void what_only_might_become_a_stop_string_comes_at_the_end() {
    try (Tokenizer tokenizer = tokenizer(Kind.BYTES)) {
      TokenStream stream = TokenStream.of(tokenizer, "!?!");
      assertThat(pieces(stream, tokenizer.encode("a!?").ids())).containsExactly("a", "", "", "!?");
      assertThat(stream.stoppedBy()).isNull();
      assertThatIllegalStateException().isThrownBy(() -> stream.add(1));
    }
  }

  @Test
  void the_stop_string_that_is_complete_first_cuts_any_text() {
    Random random = new Random(5);
    for (int i = 0; i < 5_000; i++) {
      List<String> stops = List.of(word(random, 3), word(random, 4));
      String text = word(random, 12);
      int end = end(text, stops);
      StopStrings filter = new StopStrings(stops);
      StringBuilder out = new StringBuilder();
      for (int from = 0; from < text.length(); ) {
        int to = Math.min(text.length(), from + 1 + random.nextInt(3));
        out.append(filter.add(text.substring(from, to)));
        from = to;
        assertThat(out.length()).isLessThanOrEqualTo(end);
      }
      out.append(filter.finish());
      assertThat(out).as(text + " " + stops).hasToString(text.substring(0, end));
    }
    assertThatIllegalArgumentException().isThrownBy(() -> new StopStrings(List.of("")));
  }

  /** Where the text ends when it is read char by char. */
  private static int end(String text, List<String> stops) {
    for (int n = 1; n <= text.length(); n++) {
      String read = text.substring(0, n);
      int longest = stops.stream().filter(read::endsWith).mapToInt(String::length).max().orElse(0);
      if (longest > 0) {
        return n - longest;
      }
    }
    return text.length();
  }

  private static String word(Random random, int most) {
    StringBuilder out = new StringBuilder("a");
    for (int n = random.nextInt(most); n > 0; n--) {
      out.append((char) ('a' + random.nextInt(2)));
    }
    return out.toString();
  }
}
