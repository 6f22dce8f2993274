package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.data.Conversation;
import org.peft4j.text.ChatFormat;
import org.peft4j.text.Message;
import org.peft4j.text.TinyTokenizer;
import org.peft4j.text.Tokenizer;

/** What of a row is learned. Ids of the tokenizer: a 0, b 1, ab 4, " ab" 5, abc 10, ! 11, ? 12. */
@Tag("fast")
class RowFormatTest {
  private static final long END = 13; // <|end|>

  /** {@code ?user<|end|>!} asks for an answer, which ends with {@code <|end|>c}. */
  private static final ChatFormat FORMAT =
      (messages, prompt) ->
          messages.stream()
                  .map(
                      m ->
                          Conversation.isAnswer(m)
                              ? "!" + m.content() + "<|end|>c"
                              : "?" + m.content() + "<|end|>")
                  .collect(Collectors.joining())
              + (prompt ? "!" : "");

  private static final RowFormat CHAT = RowFormat.DEFAULT.chat(FORMAT).ends(List.of(END));

  @TempDir static Path dir;
  private static Tokenizer tokenizer;

  @BeforeAll
  static void load() throws IOException {
    tokenizer = Tokenizer.load(TinyTokenizer.write(dir, TinyTokenizer.BYTE_BPE));
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  private static void assertRow(LabelledTokens row, long[] ids, long[] labels) {
    assertThat(row.ids()).containsExactly(ids);
    assertThat(row.labels()).containsExactly(labels);
  }

  private static long[] of(long... values) {
    return values;
  }

  @Test
  void of_a_chat_the_answer_and_its_end_are_learned() {
    assertRow(
        CHAT.encode(Conversation.of("ab", "abc"), tokenizer),
        of(12, 4, END, 11, 10, END),
        of(-100, -100, -100, -100, 10, END));
  }

  @Test
  void every_answer_is_learned_and_nothing_between() {
    Conversation two =
        Conversation.of(
            Message.user("a"),
            Message.assistant("b"),
            Message.user("ab"),
            Message.assistant("abc"));
    assertRow(
        CHAT.encode(two, tokenizer),
        of(12, 0, END, 11, 1, END, 2, 12, 4, END, 11, 10, END),
        of(-100, -100, -100, -100, 1, END, -100, -100, -100, -100, -100, 10, END));
  }

  @Test
  void turns_after_the_last_answer_change_nothing() {
    Conversation open =
        Conversation.of(Message.user("ab"), Message.assistant("abc"), Message.user("b"));
    assertThat(CHAT.encode(open, tokenizer).ids())
        .containsExactly(CHAT.encode(Conversation.of("ab", "abc"), tokenizer).ids());
  }

  @Test
  void without_a_format_question_and_answer_stand_in_a_row_with_the_end_token() {
    RowFormat plain = RowFormat.DEFAULT.ends(List.of(END));
    assertRow(
        plain.encode(Conversation.of("ab?", " ab"), tokenizer),
        of(4, 12, 5, END),
        of(-100, -100, 5, END));
    assertRow(
        RowFormat.DEFAULT.encode(Conversation.of("ab?", " ab"), tokenizer),
        of(4, 12, 5),
        of(-100, -100, 5));
  }

  @Test
  void a_token_across_the_border_is_not_learned() {
    assertRow(
        RowFormat.DEFAULT.encode(Conversation.of("a", "bc!"), tokenizer), // abc is one token
        of(10, 11),
        of(-100, 11));
  }

  @Test
  void texts_are_learned_whole_and_so_is_all_else_if_asked() {
    RowFormat plain = RowFormat.DEFAULT.ends(List.of(END));
    assertRow(plain.encode(Conversation.text("ab ab"), tokenizer), of(4, 5, END), of(4, 5, END));
    assertRow(CHAT.encode(Conversation.text("ab<|end|>"), tokenizer), of(4, END), of(4, END));
    LabelledTokens all = CHAT.learnWholeText().encode(Conversation.of("ab", "abc"), tokenizer);
    assertThat(all.labels()).isEqualTo(all.ids());
    assertThat(all.supervised()).isEqualTo(all.length() - 1);
  }

  @Test
  void rows_are_cut_at_the_maximum_length() {
    LabelledTokens cut = CHAT.maxLength(5).encode(Conversation.of("ab", "abc"), tokenizer);
    assertRow(cut, of(12, 4, END, 11, 10), of(-100, -100, -100, -100, 10));
    assertThat(cut.truncated()).isTrue();
    assertThat(CHAT.maxLength(4).encode(Conversation.of("ab", "abc"), tokenizer).supervised())
        .isZero();
    assertThatThrownBy(() -> CHAT.maxLength(1)).hasMessageContaining("at least 2 tokens");
  }

  @Test
  void a_template_that_rewrites_what_was_said_is_refused() {
    ChatFormat forgetful =
        (messages, prompt) ->
            messages.size() > 2
                ? FORMAT.render(messages.subList(2, messages.size()), prompt)
                : FORMAT.render(messages, prompt);
    Conversation two =
        Conversation.of(
            Message.user("a"),
            Message.assistant("b"),
            Message.user("ab"),
            Message.assistant("abc"));
    assertThatThrownBy(() -> CHAT.chat(forgetful).encode(two, tokenizer))
        .hasMessageContaining("turn 2")
        .hasMessageContaining("fix: make a row of each turn");
  }
}
