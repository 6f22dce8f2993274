package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.generate.Decoders;
import org.peft4j.model.Pretrained;

/** Models with an encoder as three graphs, which answer with the same tokens as the model. */
@Tag("fast")
class Seq2SeqGraphsTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden/seq2seq");

  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource({"t5, STANDARD", "t5, ORT", "t5_v11, STANDARD", "mt5, ORT"})
  void three_graphs_answer_as_the_model_does(String name, Profile profile) throws Exception {
    Path folder = Graphs.folder(dir, name + "-" + profile);
    try (Pretrained model = Models.load(GOLDEN.resolve(name))) {
      Exported exported = Onnx.of(model).profile(profile).writeFolder(folder);
      assertThat(exported.graphs()).hasSize(3);
      assertThat(exported.validate().passed()).isTrue();
      long[][] sources = {{5, 9, 17, 3, 8, 21, 1}, {7, 4, 1}, {11, 3, 30, 6, 1}};
      try (OnnxModel graphs = OnnxModel.load(folder)) {
        long[][] found = Continued.by(graphs.decoder(sources, 0), 64);
        assertThat(found)
            .isDeepEqualTo(
                Continued.by(Decoders.answering(model, model.decoderStart()).of(sources, 0), 64));
      }
    }
  }
}
