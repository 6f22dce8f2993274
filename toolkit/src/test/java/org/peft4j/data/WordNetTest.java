package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("fast")
class WordNetTest {
  @TempDir Path folder;

  @Test
  void makes_a_text_and_a_supersense_of_each_synset() {
    WordNet wordnet =
        WordNet.read(
            new MiniWordNet()
                .add(5, "a dog is a tame mammal; \"the dog barked\"", "dog", "domestic_dog")
                .add(28, "a period of sixty minutes", "hour")
                .write(folder));
    assertThat(wordnet.examples().rows())
        .containsExactly(
            new Example("a ___ is a tame mammal", 2), new Example("a period of sixty minutes", 25));
    assertThat(wordnet.labels()).hasSize(26).startsWith("noun.Tops", "noun.act", "noun.animal");
    assertThat(wordnet.size()).isEqualTo(2);
    assertThat(wordnet.toString()).startsWith("WordNet nouns").contains("2 synsets", "2 examples");
  }

  @Test
  void leaves_out_what_is_short_repeated_or_ambiguous() {
    WordNet wordnet =
        WordNet.read(
            new MiniWordNet()
                .add(4, "an act", "deed")
                .add(4, "the killing of killings", "killing")
                .add(4, "a quick glance", "look", "looking_at")
                .add(5, "a genus of fishes", "Salmo")
                .add(5, "A genus of `fishes'", "Esox")
                .add(5, "one of two species", "crow")
                .add(20, "one of two species", "crowfoot")
                .add(6, "a telephone connection there", "line")
                .write(folder));
    assertThat(wordnet.examples().texts())
        .containsExactly("a quick glance", "a genus of fishes", "a telephone connection there");
    assertThat(wordnet.toString()).contains("left out: 2 short, 2 ambiguous, 1 repeated");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void no_word_and_no_definition_is_in_two_parts(long seed) {
    WordNet wordnet = WordNet.read(MiniWordNet.random(400, 60, seed).write(folder));
    Splits splits = wordnet.split(seed);
    Map<String, List<String>> words = new HashMap<>();
    for (int i = 0; i < wordnet.size(); i++) {
      words.put(wordnet.examples().get(i).text(), wordnet.synsets().get(i).lemmas());
    }
    Map<String, Integer> partOf = new HashMap<>();
    int part = 0;
    Set<String> all = new HashSet<>();
    for (Examples examples : List.of(splits.train(), splits.validation(), splits.test())) {
      for (Example row : examples) {
        assertThat(all.add(row.text())).as("%s once", row.text()).isTrue();
        for (String word : words.getOrDefault(row.text(), List.of())) {
          Integer other = partOf.put(word.toLowerCase(Locale.ROOT), part);
          assertThat(other).as(word).isIn(null, part);
        }
      }
      part++;
    }
    assertThat(all).hasSameSizeAs(wordnet.examples().rows()).hasSize(splits.size());
    assertThat(splits.test().size()).isEqualTo(Math.round(wordnet.size() * 0.10f));
    assertThat(splits.validation().size()).isEqualTo(Math.round(wordnet.size() * 0.05f));
    assertThat(splits.train().texts()).filteredOn(t -> t.startsWith("link number")).hasSize(60);
  }

  @Test
  void words_in_other_case_or_with_a_hyphen_tie_synsets_together() {
    MiniWordNet file = new MiniWordNet();
    for (int i = 0; i < 40; i++) {
      file.add(5, "first text number " + i, "Ice_Cream" + i);
      file.add(5, "second text number " + i, "ice-cream" + i, "other" + i);
    }
    Splits splits = WordNet.read(file.write(folder)).split(3);
    for (Examples part : List.of(splits.train(), splits.validation(), splits.test())) {
      List<String> first = new ArrayList<>();
      List<String> second = new ArrayList<>();
      part.texts()
          .forEach(t -> (t.startsWith("first") ? first : second).add(t.replaceAll("\\D", "")));
      assertThat(first).containsExactlyInAnyOrderElementsOf(second);
    }
  }

  @Test
  void the_same_definition_with_other_words_hidden_stays_in_one_part() {
    MiniWordNet file = new MiniWordNet();
    for (int i = 0; i < 40; i++) {
      file.add(5, "half day%d and half night%d".formatted(i, i), "day" + i);
      file.add(6, "Half `day%d' and half night%d".formatted(i, i), "night" + i);
    }
    Splits splits = WordNet.read(file.write(folder)).split(3);
    for (Examples part : List.of(splits.train(), splits.validation(), splits.test())) {
      List<String> numbers = part.texts().stream().map(t -> t.replaceAll("\\D", "")).toList();
      assertThat(numbers).hasSize(2 * new HashSet<>(numbers).size());
    }
  }

  @Test
  void the_seed_decides_the_split() {
    WordNet wordnet = WordNet.read(MiniWordNet.random(300, 30, 5).write(folder));
    assertThat(wordnet.split(7)).isEqualTo(wordnet.split(7));
    assertThat(new HashSet<>(wordnet.split(7).test().texts()))
        .isNotEqualTo(new HashSet<>(wordnet.split(8).test().texts()));
    assertThat(wordnet.split(7).train().texts()).isNotEqualTo(wordnet.split(8).train().texts());
  }

  @Test
  void names_file_and_line_of_every_malformed_synset() throws IOException {
    Path file = new MiniWordNet().add(3, "that which is there", "entity").write(folder);
    String good = Files.readString(file);
    Files.writeString(file, good + "00000001 03 v 01 go 0 000 | to move\nnonsense\n" + good);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordNet.read(file))
        .withMessageContaining(file + ":4: ss_type v")
        .withMessageContaining(file + ":5: no gloss")
        .withMessageContaining("fix: use data.noun")
        .withMessageNotContaining(":6:");
  }

  @Test
  void a_file_without_synsets_is_an_error() throws IOException {
    Path file = Files.writeString(folder.resolve("data.noun"), MiniWordNet.LICENCE);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordNet.read(file))
        .withMessageContaining("no synset");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> WordNet.read(folder.resolve("absent")))
        .withMessageContaining("absent: no such file");
  }
}
