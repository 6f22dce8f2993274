package org.peft4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.data.Conversation;
import org.peft4j.data.Conversations;
import org.peft4j.data.Data;
import org.peft4j.data.Examples;

/** Where a run's rows come from. */
@Tag("fast")
class DataSectionTest {
  @TempDir Path dir;

  private static Section section(Map<String, Object> values) {
    return Section.of("run.yaml", values);
  }

  private String file(String name, String... lines) throws IOException {
    return Files.write(dir.resolve(name), List.of(lines)).toString();
  }

  @Test
  void sentences_are_dealt_by_a_seed_behind_a_system_message() {
    DataSection<Conversations> data =
        DataSection.conversations(
            section(
                Map.of(
                    "train",
                    "sentences-to-json",
                    "rows",
                    300,
                    "split",
                    4,
                    "system",
                    "You are s.",
                    "train_rows",
                    100,
                    "test_rows",
                    1000)));
    Conversations.Split all = Data.sentencesToJson(300, 0).withSystem("You are s.").split(4);
    assertThat(data.train()).isEqualTo(all.train().sample(100, 1));
    assertThat(data.validation()).isEqualTo(all.validation());
    assertThat(data.test()).isEqualTo(all.test()); // no more than there are
  }

  @Test
  void tables_give_language_rows_by_their_columns() throws IOException {
    String table = file("rows.tsv", "q\ta", "one\ttwo");
    DataSection<Conversations> chats =
        DataSection.conversations(
            section(Map.of("train", table, "prompt", "q", "completion", "a", "test", table)));
    assertThat(chats.train()).containsExactly(Conversation.of("one", "two"));
    assertThat(chats.test()).isEqualTo(chats.train());
    assertThat(chats.validation()).isNull();
    assertThat(DataSection.conversations(section(Map.of("train", table, "text", "a"))).train())
        .containsExactly(Conversation.text("two"));
    assertThatThrownBy(
            () -> DataSection.conversations(section(Map.of("train", table, "prompt", "q"))))
        .hasMessageContaining("run.yaml: completion")
        .hasMessageContaining("beside the other");
  }

  @Test
  void labels_are_numbered_as_those_of_the_training_file() throws IOException {
    String train = file("train.csv", "text,label", "x,no", "y,yes");
    String test = file("test.jsonl", "{\"text\":\"z\",\"label\":\"yes\"}");
    DataSection<Examples> data =
        DataSection.examples(section(Map.of("train", train, "test", test)));
    assertThat(data.test()).isNotNull();
    assertThat(data.test().labels()).containsExactly("no", "yes");
    assertThat(data.test().get(0).label()).isEqualTo(1);
    assertThatThrownBy(() -> DataSection.examples(section(Map.of())))
        .hasMessageContaining("run.yaml: train")
        .hasMessageContaining("found: nothing");
  }
}
