package org.peft4j.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.format.Gguf;
import org.peft4j.format.GgufFile;
import org.peft4j.format.GgufFixtures;
import org.peft4j.format.GgufValue;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Dtype;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.LoraInit;
import org.peft4j.tensor.Torch;

/** LoRAs in GGUF files, against PEFT, the Python package gguf and llama.cpp itself. */
@Tag("fast")
class GgufAdaptersTest {
  @TempDir Path folder;

  private static Path fixture(String name) {
    return GgufFixtures.path("lora/" + name);
  }

  private static Pretrained base(String name) {
    return Models.load(GgufFixtures.path(name.replaceFirst("-.*", "") + ".gguf"));
  }

  private static NDArray logits(Block model, NDManager manager, NDArray ids) {
    return Torch.inference(
        () -> model.forward(new ParameterStore(manager, false), new NDList(ids), false).head());
  }

  private static float difference(Block model, String name) throws Exception {
    try (NDManager manager = Torch.newManager();
        TensorSource expected = Safetensors.open(fixture(name + "-logits.safetensors"))) {
      NDArray found = logits(model, manager, expected.load("input_ids", manager));
      NDArray wanted = expected.load("logits", manager);
      return found.sub(wanted).abs().max().getFloat() / Math.max(1, wanted.abs().max().getFloat());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama-scales", "qwen2", "gpt2"})
  void what_peft_saved_is_written_as_the_python_package_writes_it(String name) throws Exception {
    Path file = folder.resolve("a.gguf");
    try (Pretrained model = base(name);
        Tuned tuned = Peft.load(model, fixture(name))) {
      assertThat(difference(tuned, name)).isLessThan(1e-5f);
      tuned.save(file);
    }
    assertThat(Files.mismatch(file, fixture(name + ".gguf"))).isEqualTo(-1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama-scales", "qwen2", "gpt2"})
  void a_file_acts_as_the_adapter_that_it_was_made_of(String name) throws Exception {
    Path file = folder.resolve("b.gguf");
    try (Pretrained model = base(name);
        Tuned tuned = Peft.load(model, fixture(name + ".gguf"))) {
      assertThat(tuned.method("default").name()).isEqualTo("lora");
      assertThat(difference(tuned, name)).isLessThan(1e-5f);
      tuned.save(file);
      assertThat(Files.mismatch(file, fixture(name + ".gguf"))).isEqualTo(-1);
      tuned.save(folder.resolve("dir"));
      try (Tuned again = Peft.load(model, folder.resolve("dir"))) {
        assertThat(difference(again, name)).isLessThan(1e-5f);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama-scales"})
  void llama_cpp_finds_the_next_token_as_likely(String name) throws Exception {
    Map<String, ?> answer = Json.read(fixture(name + "-llama-cpp.json"));
    List<?> ids = (List<?>) answer.get("input_ids");
    List<?> wanted = (List<?>) answer.get("probabilities");
    try (Pretrained model = base(name);
        Tuned tuned = Peft.load(model, fixture(name + ".gguf"));
        NDManager manager = Torch.newManager()) {
      NDArray x =
          manager.create(
              ids.stream().mapToLong(i -> ((Number) i).longValue()).toArray(),
              new Shape(1, ids.size()));
      float[] found =
          logits(tuned, manager, x).get("0, {}", ids.size() - 1).softmax(-1).toFloatArray();
      assertThat(found).hasSameSizeAs(wanted.toArray());
      for (int i = 0; i < found.length; i++) {
        double p = ((Number) wanted.get(i)).doubleValue();
        assertThat((double) found[i]).isCloseTo(p, within(1e-7 + 2e-5 * p));
      }
    }
  }

  private static org.assertj.core.data.Offset<Double> within(double x) {
    return org.assertj.core.data.Offset.offset(x);
  }

  @ParameterizedTest
  @CsvSource({"F16, F16, 0.002", "BF16, BF16, 0.02", "Q8_0, F16, 0.02"})
  void short_numbers_stay_near(Dtype dtype, String ofB, float bound) throws Exception {
    Path file = folder.resolve("a.gguf");
    try (Pretrained model = base("llama");
        Tuned tuned = Peft.load(model, fixture("llama"))) {
      tuned.saveGguf(file, dtype);
      try (Tuned again = Peft.load(model, file);
          GgufFile open = Gguf.open(file)) {
        assertThat(difference(again, "llama")).isBetween(1e-6f, bound);
        assertThat(open.info("blk.0.attn_q.weight.lora_a").dtype()).isEqualTo(dtype.name());
        assertThat(open.info("blk.0.attn_q.weight.lora_b").dtype()).isEqualTo(ofB);
      }
    }
  }

  @Test
  void another_method_goes_there_as_a_lora_of_its_effect() {
    Path file = folder.resolve("a.gguf");
    try (Pretrained model = base("llama");
        Tuned tuned = Peft.dora(model).rank(2).init(LoraInit.RANDOM).targets("q", "up").apply();
        NDManager manager = Torch.newManager()) {
      NDArray ids = manager.create(new long[][] {{4, 9, 11, 3}});
      NDArray expected = logits(tuned, manager, ids);
      assertThatThrownBy(() -> tuned.save(file)).hasMessageContainingAll("dora", "convertToLora");
      tuned.convertToLora("plain", 64);
      tuned.save(file);
      try (Tuned again = Peft.load(model, file, "read")) {
        float moved = logits(model, manager, ids).sub(expected).abs().max().getFloat();
        assertThat(moved).isGreaterThan(0.01f);
        assertThat(logits(again, manager, ids).sub(expected).abs().max().getFloat())
            .isLessThan(1e-4f * Math.max(1, moved));
        assertThat(again.activeAdapters()).containsExactly("read");
      }
    }
  }

  @Test
  void what_such_a_file_cannot_say_is_refused() {
    Path file = folder.resolve("a.gguf");
    try (Pretrained model = base("llama")) {
      try (Tuned tuned = Peft.lora(model).targets("embed").apply()) {
        assertThatThrownBy(() -> tuned.save(file))
            .hasMessageContaining("model.embed_tokens is tied");
      }
      try (Tuned tuned = Peft.lora(model).targets("q").modulesToSave("norm").apply()) {
        assertThatThrownBy(() -> tuned.save(file)).hasMessageContaining("trains all of model.norm");
      }
      try (Tuned tuned = Peft.lora(model).init(LoraInit.PISSA).apply()) {
        assertThatThrownBy(() -> tuned.save(file)).hasMessageContaining("init pissa");
      }
      try (Tuned tuned = Peft.lora(model).named("a").apply()) {
        tuned.disable();
        tuned.delete("a");
        assertThatThrownBy(() -> tuned.save(file)).hasMessageContaining("one active adapter");
      }
      assertThat(file).doesNotExist();
    }
  }

  @Test
  void files_of_another_kind_are_told_apart() throws Exception {
    try (Pretrained llama = base("llama");
        Pretrained qwen = base("qwen2")) {
      Path adapter = fixture("llama.gguf");
      assertThatThrownBy(() -> Models.load(adapter))
          .hasMessageContainingAll("adapter", "Peft.load");
      assertThatThrownBy(() -> Peft.load(llama, GgufFixtures.path("llama.gguf")))
          .hasMessageContaining("this file is a model");
      assertThatThrownBy(() -> Peft.load(qwen, adapter)).hasMessageContaining("qwen2");
      Map<String, GgufValue> keys =
          Map.of(
              "general.type", GgufValue.text("adapter"),
              "general.architecture", GgufValue.text("llama"),
              "adapter.type", GgufValue.text("lora"));
      Path bad = folder.resolve("bad.gguf");
      try (NDManager manager = Torch.newManager()) {
        Gguf.write(
            bad,
            keys,
            Stream.of("blk.0.attn_q.weight.lora_a", "blk.0.attn_x.weight.lora_a", "what")
                .map(
                    n ->
                        new Gguf.Entry(
                            n, "F32", new Shape(2, 64), () -> manager.ones(new Shape(2, 64))))
                .toList());
        assertThatThrownBy(() -> Peft.load(llama, bad))
            .hasMessageContainingAll(
                "missing blk.0.attn_q.weight.lora_b",
                "unknown blk.0.attn_x.weight",
                "unknown what");
        Gguf.write(
            bad,
            keys,
            Stream.of("blk.0.attn_v.weight.lora_a", "blk.0.attn_v.weight.lora_b")
                .map(
                    n ->
                        new Gguf.Entry(
                            n, "F32", new Shape(4, 4), () -> manager.ones(new Shape(4, 4))))
                .toList());
        assertThatThrownBy(() -> Peft.load(llama, bad))
            .hasMessageContainingAll("model.layers.0.self_attn.v_proj: expected", "found (4, 4)");
      }
    }
  }
}
