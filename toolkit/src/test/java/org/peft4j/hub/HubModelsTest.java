package org.peft4j.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.format.Json;
import org.peft4j.model.Pretrained;

/** The facade with the hub behind it, told where it is as a user would. */
@Tag("fast")
class HubModelsTest {
  @TempDir Path folder;
  private FakeHub hub;
  private final Map<String, @Nullable String> before = new HashMap<>();

  @BeforeEach
  void start() throws Exception {
    hub = new FakeHub();
    hub.token = "hf_secret";
    set("HF_ENDPOINT", hub.endpoint() + "/");
    set("HF_HOME", folder.toString());
    set("HF_TOKEN", "hf_secret");
    put("org/tiny", "/golden/hf/base/llama");
    put("org/adapter", "/golden/hf/adapters/llama/lora_default");
  }

  @AfterEach
  void stop() {
    hub.close();
    before.forEach(
        (name, value) -> {
          if (value == null) {
            System.clearProperty(name);
          } else {
            System.setProperty(name, value);
          }
        });
  }

  private void set(String name, String value) {
    before.putIfAbsent(name, System.getProperty(name));
    System.setProperty(name, value);
  }

  private void put(String id, String resources) throws IOException, URISyntaxException {
    Path from = Path.of(Objects.requireNonNull(getClass().getResource(resources)).toURI());
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        hub.model(id).files.put(file.getFileName().toString(), Files.readAllBytes(file));
      }
    }
  }

  @Test
  void models_and_adapters_load_by_their_names() {
    try (Pretrained model = Models.load("hub:org/tiny");
        Tuned tuned = Peft.load(model, "hub:org/adapter")) {
      assertThat(model.name()).isEqualTo("org/tiny");
      assertThat(model).asString().startsWith("org/tiny: llama, causal lm");
      assertThat(tuned.adapters()).containsExactly("default");
      tuned.load("again", "hub:org/adapter@main");
      assertThat(tuned.adapters()).containsExactly("default", "again");
    }
    assertThat(folder.resolve("hub/models--org--tiny/refs/main")).exists();
  }

  @Test
  void counting_needs_the_configuration_alone() {
    Pretrained sizes = Models.meta("hub:org/tiny");
    assertThat(sizes.name()).isEqualTo("org/tiny");
    assertThat(sizes.parameters()).isGreaterThan(0);
    assertThat(hub.asked("/objects/")).isEmpty();
  }

  @Test
  void what_is_pushed_loads_again_and_names_its_base() throws Exception {
    try (Pretrained model = Models.load("hub:org/tiny");
        Tuned tuned = Peft.lora(model).rank(2).targets("q").apply()) {
      Pushed pushed = tuned.push("me/new", Push.privately().metrics(Map.of("perplexity", 7.5)));
      assertThat(pushed.files())
          .containsExactly("README.md", "adapter_config.json", "adapter_model.safetensors");
    }
    FakeHub.Model pushed = hub.model("me/new");
    assertThat(pushed.isPrivate).isTrue();
    Map<?, ?> config = (Map<?, ?>) Json.parse(text(pushed, "adapter_config.json"), "config");
    assertThat(config.get("base_model_name_or_path")).isEqualTo("org/tiny");
    assertThat(text(pushed, "README.md"))
        .startsWith(
            """
            ---
            base_model: org/tiny
            library_name: peft
            pipeline_tag: text-generation
            tags:
            - lora
            - peft4j
            - base_model:adapter:org/tiny
            ---

            # LORA adapter
            """)
        .contains(
            """
            var model = Models.load("hub:org/tiny");
            var tuned = Peft.load(model, "hub:me/new");
            """,
            """
            from peft import PeftModel
            from transformers import AutoModelForCausalLM

            base = AutoModelForCausalLM.from_pretrained("org/tiny")
            model = PeftModel.from_pretrained(base, "me/new")
            """,
            "| perplexity | 7.5000 |\n");
    try (Pretrained model = Models.load("hub:org/tiny");
        Tuned tuned = Peft.load(model, "hub:me/new")) {
      assertThat(tuned.method("default").name()).isEqualTo("lora");
    }
  }

  private static String text(FakeHub.Model model, String file) {
    byte[] content = Objects.requireNonNull(model.files.get(file));
    return new String(content, java.nio.charset.StandardCharsets.UTF_8);
  }

  @Test
  void offline_what_was_fetched_loads() {
    Models.load("hub:org/tiny").close();
    for (String name : List.of("HF_HUB_OFFLINE", "PEFT4J_OFFLINE")) {
      hub.requests.clear();
      set(name, "1");
      Models.load("hub:org/tiny").close();
      assertThatThrownBy(() -> Models.load("hub:org/more"))
          .hasMessageContainingAll("hub:org/more: not in the cache", "found: nothing of it");
      assertThat(hub.requests).isEmpty();
      System.clearProperty(name);
    }
  }

  @Test
  void a_name_without_hub_is_pointed_there() {
    assertThatThrownBy(() -> Models.load("org/tiny"))
        .hasMessageContainingAll("no model 'org/tiny'", "fix: \"hub:org/tiny\"");
  }

  @Test
  void the_environment_is_read_as_hugging_faces_library_does() throws Exception {
    assertThat(HubSettings.cacheFolder()).isEqualTo(folder.resolve("hub"));
    set("HF_HUB_CACHE", folder + "/elsewhere");
    assertThat(HubSettings.cacheFolder()).isEqualTo(folder.resolve("elsewhere"));
    System.clearProperty("HF_HUB_CACHE");
    System.clearProperty("HF_HOME");
    set("XDG_CACHE_HOME", folder.resolve("xdg").toString());
    assertThat(HubSettings.cacheFolder()).isEqualTo(folder.resolve("xdg/huggingface/hub"));
    set("HF_HOME", "~/hf");
    assertThat(HubSettings.cacheFolder())
        .isEqualTo(Path.of(System.getProperty("user.home"), "hf", "hub"));
    set("HF_HOME", "$XDG_CACHE_HOME/here");
    assertThat(HubSettings.cacheFolder()).isEqualTo(folder.resolve("xdg/here/hub"));
    System.clearProperty("HF_TOKEN");
    assertThat(HubSettings.current().token()).isNull();
    Files.createDirectories(folder.resolve("xdg/here"));
    Path file = Files.writeString(folder.resolve("xdg/here/token"), "hf_file\n");
    assertThat(HubSettings.current().token()).hasToString("the token from " + file);
    Path named = Files.writeString(folder.resolve("token"), "hf_named\n");
    set("HF_TOKEN_PATH", named.toString());
    assertThat(HubSettings.current().token()).hasToString("the token from " + named);
    set("HF_TOKEN", "hf_set");
    assertThat(HubSettings.current().token()).hasToString("the token from HF_TOKEN");
    set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    assertThat(HubSettings.current().token()).isNull();
    set("HF_ENDPOINT", "ftp://example.org");
    assertThatThrownBy(HubSettings::current)
        .hasMessageContainingAll("HF_ENDPOINT: not an address", "found: ftp://example.org");
  }
}
