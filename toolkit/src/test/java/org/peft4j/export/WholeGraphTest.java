package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.LambdaBlock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.ExportException;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxSession;

/** Models that read whole texts or images, in both profiles, and what becomes of wrong graphs. */
@Tag("fast")
class WholeGraphTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");

  @TempDir Path dir;

  @TestFactory
  Stream<DynamicNode> every_architecture_and_head() {
    return Stream.of(
            "hf/base/bert",
            "encoders/bert_questions",
            "encoders/bert_tokens",
            "encoders/roberta",
            "encoders/roberta_sequence",
            "encoders/roberta_tokens",
            "encoders/distilbert",
            "encoders/distilbert_questions",
            "encoders/distilbert_sequence",
            "encoders/distilbert_tokens",
            "encoders/modernbert",
            "encoders/modernbert_questions",
            "encoders/modernbert_sequence",
            "encoders/modernbert_tokens",
            "encoders/deberta",
            "encoders/deberta_questions",
            "encoders/deberta_sequence",
            "encoders/deberta_tokens",
            "gpt2/features",
            "gpt2/questions",
            "gpt2/sequence",
            "gpt2/tokens",
            "vit/classes",
            "vit/features",
            "seq2seq/t5",
            "seq2seq/mt5",
            "seq2seq/t5_encoder")
        .flatMap(
            name ->
                Stream.of(Profile.values())
                    .map(p -> DynamicTest.dynamicTest(name + ", " + p, () -> check(name, p))));
  }

  private void check(String name, Profile profile) throws Exception {
    Path file =
        Graphs.folder(dir, "whole").resolve(name.replace('/', '-') + "-" + profile + ".onnx");
    try (Pretrained model = Models.load(GOLDEN.resolve(name))) {
      Exported exported = Onnx.of(model).profile(profile).write(file);
      Comparison checked = exported.validate();
      assertThat(checked.passed()).isTrue();
      assertThat(checked.largestDifference()).isLessThan(1e-4);
      boolean texts = model.inputNames().contains("attention_mask");
      assertThat(checked.rows().stream().anyMatch(r -> r.output().endsWith("left padding")))
          .isEqualTo(texts);
      try (OnnxSession session = exported.session()) {
        assertThat(session.metadata())
            .containsEntry("profile", profile.toString())
            .containsEntry(GraphFile.CHECKED, checked.toString());
      }
    }
  }

  @Test
  void hooks_are_in_a_graph_with_a_cache_and_virtual_tokens_in_one_without() {
    try (Pretrained model = Models.load(GOLDEN.resolve("families/qwen3"))) {
      for (Profile profile : Profile.values()) {
        Path file = dir.resolve("hooked-" + profile + ".onnx");
        try (Tuned tuned = Peft.pfeiffer(model).reduction(4).apply();
            OnnxSession session = Onnx.of(tuned).profile(profile).write(file).session()) {
          assertThat(session.outputs().toString()).contains("present.0.key");
        }
        try (Tuned tuned = Peft.prefixTuning(model).tokens(3).apply();
            OnnxSession session = Onnx.of(tuned).profile(profile).write(file).session()) {
          assertThat(session.outputs()).hasSize(1);
        }
      }
    }
  }

  @Test
  void a_graph_that_computes_something_else_is_not_written() throws Exception {
    LambdaBlock block = new LambdaBlock(WholeGraphTest::negativeForManyRows, "rows");
    Path file = Files.writeString(dir.resolve("m.onnx"), "before");
    assertThatThrownBy(() -> Onnx.export(block, file, Input.floats("x", "rows", 4)))
        .isInstanceOf(ExportException.class)
        .hasMessageContainingAll("was not written", "rows=5", "FAILED");
    assertThat(Files.readString(file)).isEqualTo("before");
    try (Stream<Path> left = Files.list(dir)) {
      assertThat(left).containsExactly(file);
    }
  }

  /** A branch on a size that the small sizes of a trace never meet. */
  private static NDList negativeForManyRows(NDList in) {
    NDArray x = in.head();
    return new NDList(x.getShape().get(0) > 4 ? x.neg() : x.add(1));
  }

  @Test
  void positions_that_follow_the_length_are_refused() {
    try (Pretrained model = Models.load(GOLDEN.resolve("families/llama_dynamic"))) {
      assertThatThrownBy(() -> Onnx.export(model, dir.resolve("m.onnx")))
          .hasMessageContainingAll("dynamic", "fix: a configuration with rope_scaling");
    }
  }

  @Test
  void a_missing_folder_is_said_before_anything_is_traced() {
    LambdaBlock never =
        new LambdaBlock(
            in -> {
              throw new AssertionError("was run");
            },
            "never");
    Path nowhere = dir.resolve("none/m.onnx");
    assertThatThrownBy(() -> Onnx.export(never, nowhere, Input.floats("x", "rows", 4)))
        .hasMessageContainingAll("expected: an existing folder", "none");
    try (Pretrained model = Models.load(GOLDEN.resolve("hf/base/bert"))) {
      assertThatThrownBy(() -> Onnx.export(model, nowhere))
          .hasMessageContainingAll("expected: an existing folder", "none");
    }
  }

  @Test
  void of_several_graphs_all_appear_or_none() throws Exception {
    Path folder = Files.createDirectories(dir.resolve("steps"));
    try (GraphFile.Drafts drafts = new GraphFile.Drafts();
        Pretrained model = Models.load(GOLDEN.resolve("seq2seq/t5_encoder"));
        OnnxGraph graph =
            GraphExport.of(model)
                .inputs(Input.ids("input_ids", 9, "batch_size", "sequence_length"))
                .outputs("y")
                .trace()) {
      Comparison right = new Comparison(List.of(), 1);
      drafts.add(graph, folder.resolve("a.onnx"), session -> right, QuantisationLoss.NONE);
      Comparison.Row off = new Comparison.Row(Map.of(), "y", 9, 1, 1, Double.NaN, "");
      Comparison wrong = new Comparison(List.of(off), 1e-4);
      assertThatThrownBy(
              () ->
                  drafts.add(
                      graph, folder.resolve("b.onnx"), session -> wrong, QuantisationLoss.NONE))
          .isInstanceOf(ExportException.class);
    }
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void profiles_are_called_by_name() {
    assertThat(List.of(Profile.values()).toString()).isEqualTo("[standard, ort]");
    assertThatThrownBy(() -> Profile.of("fast")).hasMessageContaining("standard or ort");
  }
}
