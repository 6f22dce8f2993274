package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.Gguf;
import org.peft4j.format.GgufFile;
import org.peft4j.format.GgufFixtures;
import org.peft4j.format.Json;
import org.peft4j.text.Tokenizer;

/**
 * Tokenizers made of metadata alone against those of Hugging Face's tokenizers library, and against
 * the definition of SentencePiece's BPE.
 */
@Tag("fast")
class GgufTokenizersTest {
  @ParameterizedTest
  @ValueSource(strings = {"smollm", "gpt-2", "llama-bpe", "qwen2", "tekken", "spm"})
  void ids_and_texts_are_those_of_the_reference(String kind) throws Exception {
    List<?> cases = (List<?>) Json.read(GgufFixtures.path("tokens.json")).get(kind);
    try (GgufFile file = Gguf.open(GgufFixtures.path("tokenizer-" + kind + ".gguf"));
        Tokenizer tokenizer = Objects.requireNonNull(GgufTokenizer.read(file))) {
      assertThat(cases).hasSizeGreaterThan(15);
      for (Object o : Objects.requireNonNull(cases)) {
        Map<?, ?> c = (Map<?, ?>) o;
        String text = String.valueOf(c.get("text"));
        long[] ids =
            ((List<?>) Objects.requireNonNull(c.get("ids")))
                .stream().mapToLong(n -> (Long) n).toArray();
        assertThat(tokenizer.encode(text).ids()).as(text).isEqualTo(ids);
        if (c.containsKey("decoded")) {
          assertThat(tokenizer.decode(ids, false)).as(text).isEqualTo(c.get("decoded"));
        } else if (!text.contains("<")) {
          assertThat(tokenizer.decode(ids, true)).isEqualTo(text);
        }
      }
    }
  }
}
