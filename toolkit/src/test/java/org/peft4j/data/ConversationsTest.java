package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.text.Message;

@Tag("fast")
class ConversationsTest {
  @TempDir Path dir;

  private Path file(String name, String... lines) throws IOException {
    return Files.write(dir.resolve(name), List.of(lines));
  }

  @Test
  void every_kind_of_jsonl_row_is_read() throws IOException {
    Path file =
        file(
            "rows.jsonl",
            "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"q\"},"
                + "{\"role\":\"assistant\",\"content\":\"a\",\"name\":\"x\"}],\"id\":7}",
            "",
            "{\"prompt\":\"q\",\"completion\":\"\"}",
            "{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],"
                + "\"completion\":[{\"role\":\"assistant\",\"content\":\"a\"}]}",
            "{\"text\":\"once\"}");
    assertThat(Conversations.jsonl(file))
        .containsExactly(
            Conversation.of(
                Message.system("s"), Message.user("q"), Message.assistant("a").with("name", "x")),
            Conversation.of("q", ""),
            Conversation.of("q", "a"),
            Conversation.text("once"));
  }

  @Test
  void what_is_wrong_is_told_by_file_and_line() throws IOException {
    Path file =
        file(
            "rows.jsonl",
            "{\"text\":\"fine\"}",
            "{\"prompt\":\"q\"}",
            "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}",
            "{\"messages\":[{\"role\":\"assistant\",\"content\":3}]}",
            "{\"messages\":\"q\"}",
            "nothing",
            "{\"texts\":\"q\"}",
            "{\"text\":\"\"}");
    assertThatThrownBy(() -> Conversations.jsonl(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("rows.jsonl:2: no \"completion\" among [prompt]")
        .hasMessageContaining("rows.jsonl:3: a chat to learn from; expected: at least one message")
        .hasMessageContaining("rows.jsonl:4: \"content\": 3")
        .hasMessageContaining("rows.jsonl:5: \"messages\": q")
        .hasMessageContaining("rows.jsonl:6: not JSON: nothing")
        .hasMessageContaining("rows.jsonl:7: no \"text\" among [texts]")
        .hasMessageContaining("rows.jsonl:8: a text to learn from")
        .hasMessageContaining("expected: a JSON object with \"messages\"");
    assertThatThrownBy(() -> Conversations.jsonl(file("empty.jsonl", "")))
        .hasMessageContaining("empty.jsonl: no rows");
  }

  @Test
  void csv_gives_questions_and_answers_or_texts() throws IOException {
    Path file = file("rows.csv", "id,answer,question", "1,\"a, b\",q", "2,c,\"two", "lines\"");
    assertThat(Conversations.csv(file, "question", "answer"))
        .containsExactly(Conversation.of("q", "a, b"), Conversation.of("two\nlines", "c"));
    assertThat(Conversations.csv(file, "answer"))
        .containsExactly(Conversation.text("a, b"), Conversation.text("c"));
    assertThatThrownBy(() -> Conversations.csv(file, "text"))
        .hasMessageContaining("found: [id, answer, question]");
    assertThatThrownBy(() -> Conversations.csv(file("bad.csv", "q,a", "1,2", "1,2,3", ",4"), "q"))
        .hasMessageContaining("bad.csv:3: 3 fields, not 2")
        .hasMessageContaining("bad.csv:4: a text to learn from");
  }

  @Test
  void lists_make_rows() {
    Conversations rows = Conversations.of(List.of("q1", "q2"), List.of("a1", "a2"));
    assertThat(rows.get(1)).isEqualTo(Conversation.of("q2", "a2"));
    assertThat(Conversations.texts(List.of("t"))).containsExactly(Conversation.text("t"));
    assertThatThrownBy(() -> Conversations.of(List.of("q1"), List.of()))
        .hasMessageContaining("a completion for each prompt");
    assertThatThrownBy(() -> new Conversations(List.of())).hasMessageContaining("no rows");
    assertThatThrownBy(() -> rows.take(3)).hasMessageContaining("1 to 2 rows");
  }

  @Test
  void a_system_message_goes_before_chats_that_have_none() {
    Conversation with = Conversation.of(Message.system("x"), Message.assistant("a"));
    Conversations rows =
        new Conversations(List.of(Conversation.of("q", "a"), with, Conversation.text("t")))
            .withSystem("s");
    assertThat(rows)
        .containsExactly(
            Conversation.of(Message.system("s"), Message.user("q"), Message.assistant("a")),
            with,
            Conversation.text("t"));
  }

  @Test
  void a_split_keeps_equal_questions_together_and_loses_nothing() {
    List<Conversation> all =
        IntStream.range(0, 200)
            .mapToObj(i -> Conversation.of((i % 2 == 0 ? "Q " : "q  ") + i / 2, String.valueOf(i)))
            .toList();
    Conversations.Split split = new Conversations(all).split(3);
    assertThat(split).hasToString("200 rows: train 170, validation 10, test 20");
    Set<Conversation> seen = new HashSet<>();
    List.of(split.train(), split.validation(), split.test())
        .forEach(part -> part.forEach(seen::add));
    assertThat(seen).hasSize(200);
    Set<String> trained = new HashSet<>();
    split.train().forEach(row -> trained.add(Deal.normal(row.opening())));
    assertThat(split.test()).noneMatch(row -> trained.contains(Deal.normal(row.opening())));
    assertThat(new Conversations(all).split(3).test()).isEqualTo(split.test());
  }

  @Test
  void printing_shows_the_first_rows() {
    assertThat(Conversations.of(List.of("q"), List.of("a")))
        .hasToString("1 rows: 1 chats, 0 texts\nuser: q\n  assistant: a");
  }

  @Test
  void sentences_are_the_same_on_every_machine() {
    Conversations rows = Data.sentencesToJson(1000, 7);
    assertThat(new HashSet<>(rows.rows())).hasSize(1000);
    assertThat(Data.sentencesToJson(10, 7).rows()).isEqualTo(rows.rows().subList(0, 10));
    assertThat(Data.sentencesToJson(10, 8).rows()).isNotEqualTo(rows.rows().subList(0, 10));
    assertThat(rows)
        .allSatisfy(
            row -> {
              String answer = ((Conversation.Chat) row).messages().get(1).content();
              java.util.regex.Matcher m =
                  java.util.regex.Pattern.compile(
                          "\\{\"who\":\"(\\w+)\",\"what\":\"(\\w+)\",\"count\":(\\d+),\"where\":\"(\\w+)\"\\}")
                      .matcher(answer);
              assertThat(m.matches()).isTrue();
              assertThat(row.opening())
                  .startsWith("Turn into JSON: ")
                  .contains(m.group(1), m.group(2), m.group(3), m.group(4));
            });
    assertThat(rows.get(0))
        .isEqualTo(
            Conversation.of(
                "Turn into JSON: Pedro came home from Accra with 37 clocks.",
                "{\"who\":\"Pedro\",\"what\":\"clocks\",\"count\":37,\"where\":\"Accra\"}"));
    assertThatThrownBy(() -> Data.sentencesToJson(0, 1)).hasMessageContaining("1 to 141,600 rows");
  }
}
