package org.peft4j.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Downloads;
import org.peft4j.format.Patience;

@Tag("fast")
class PushTest {
  private static final byte[] WEIGHTS = new byte[200_000];

  static {
    new Random(1).nextBytes(WEIGHTS);
  }

  @TempDir Path folder;
  private FakeHub hub;
  private Path adapter;
  private @Nullable String token = "hf_secret";
  private boolean offline;
  private final List<long[]> progress = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void start() throws IOException {
    hub = new FakeHub();
    hub.token = "hf_secret";
    adapter = Files.createDirectory(folder.resolve("adapter"));
    Files.writeString(adapter.resolve("adapter_config.json"), "{\"peft_type\": \"LORA\"}");
    Files.write(adapter.resolve("adapter_model.safetensors"), WEIGHTS);
    Files.writeString(
        adapter.resolve("README.md"),
        "Peft.load(model, Path.of(\"this-directory\"))\n(base, \"this-directory\")\n");
    Files.writeString(adapter.resolve(".hidden"), "no");
    Files.writeString(adapter.resolve("ignored.log"), "no");
    Files.createFile(adapter.resolve("empty.safetensors"));
  }

  @AfterEach
  void stop() {
    hub.close();
  }

  private HubSettings settings() throws IOException {
    Path file = folder.resolve("token");
    Files.writeString(file, token == null ? "" : token + "\n");
    return new HubSettings(
        URI.create(hub.endpoint()),
        folder.resolve("hub"),
        Token.find(file),
        offline,
        true,
        new Patience(3, Duration.ZERO, Duration.ZERO, Duration.ofMinutes(2), millis -> {}));
  }

  private Pushed push(String name, Push how) throws IOException {
    Downloads.Progress told = (bytes, total) -> progress.add(new long[] {bytes, total});
    return new Upload(settings(), adapter, name, how, told).run();
  }

  private FakeHub.Model pushedModel(String id) {
    return Objects.requireNonNull(hub.models.get(id));
  }

  @Test
  void a_folder_becomes_a_repository_with_one_commit() throws Exception {
    Pushed pushed = push("me/adapter", Push.publicly().metrics(Map.of("accuracy", 0.8512)));
    FakeHub.Model model = pushedModel("me/adapter");
    assertThat(model.files.keySet())
        .containsExactly(
            "README.md", "adapter_config.json", "adapter_model.safetensors", "empty.safetensors");
    assertThat(model.files.get("adapter_model.safetensors")).isEqualTo(WEIGHTS);
    assertThat(new String(model.files.get("README.md"), java.nio.charset.StandardCharsets.UTF_8))
        .isEqualTo(
            """
            Peft.load(model, "hub:me/adapter")
            (base, "me/adapter")

            ## Results

            | figure | value |
            |---|---:|
            | accuracy | 0.8512 |
            """);
    assertThat(model.messages).containsExactly("Upload with peft4j");
    assertThat(model.isPrivate).isFalse();
    assertThat(pushed.commit()).isEqualTo(model.commit());
    assertThat(pushed)
        .hasToString(
            hub.endpoint()
                + "/me/adapter: commit "
                + model.commit().substring(0, 7)
                + ", 4 files, 200 kB");
    assertThat(progress.get(progress.size() - 1)).containsExactly(200_000, 200_000);
  }

  @Test
  void the_token_goes_to_the_hub_alone() throws Exception {
    push("me/adapter", Push.publicly());
    assertThat(hub.asked("hub ")).allMatch(r -> r.contains(" Bearer hf_secret"));
    assertThat(hub.asked("store PUT")).hasSize(1).noneMatch(r -> r.contains("secret"));
    assertThat(hub.asked("/verify/")).hasSize(1);
  }

  @Test
  void what_the_hub_has_is_not_sent_again() throws Exception {
    push("me/adapter", Push.publicly());
    hub.requests.clear();
    push("me/adapter", Push.publicly().message("Again"));
    assertThat(hub.asked("store ")).isEmpty();
    assertThat(pushedModel("me/adapter").messages).containsExactly("Upload with peft4j", "Again");
  }

  @Test
  void large_files_go_in_parts_where_the_hub_says_so() throws Exception {
    hub.partSize = 64_000;
    push("me/adapter", Push.publicly());
    assertThat(hub.asked("store PUT /part/")).hasSize(4);
    assertThat(hub.asked("/complete/")).hasSize(1);
    assertThat(pushedModel("me/adapter").files.get("adapter_model.safetensors")).isEqualTo(WEIGHTS);
  }

  @Test
  void a_part_that_fails_is_sent_again() throws Exception {
    hub.partSize = 64_000;
    AtomicInteger n = new AtomicInteger();
    hub.tricks.add(
        (exchange, path) -> {
          if (path.startsWith("/part/") && n.getAndIncrement() == 1) {
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(500, -1);
            return true;
          }
          return false;
        });
    push("me/adapter", Push.publicly());
    assertThat(hub.asked("store PUT /part/")).hasSize(5);
    assertThat(pushedModel("me/adapter").files.get("adapter_model.safetensors")).isEqualTo(WEIGHTS);
  }

  @Test
  void a_name_alone_is_the_owners() throws Exception {
    assertThat(push("mine", Push.publicly()).id()).isEqualTo("me/mine");
  }

  @Test
  void private_means_private_or_nothing() throws Exception {
    push("me/adapter", Push.privately());
    assertThat(pushedModel("me/adapter").isPrivate).isTrue();
    hub.model("me/open").isPrivate = false;
    hub.requests.clear();
    assertThatThrownBy(() -> push("me/open", Push.privately()))
        .hasMessageContainingAll("me/open: is not private; nothing was pushed", "fix: make it");
    assertThat(hub.asked("commit")).isEmpty();
    assertThat(hub.asked("batch")).isEmpty();
  }

  @Test
  void another_branch_is_made_first() throws Exception {
    push("me/adapter", Push.publicly().branch("v2"));
    assertThat(hub.asked("POST /api/models/me/adapter/branch/v2")).hasSize(1);
    assertThat(hub.asked("POST /api/models/me/adapter/commit/v2")).hasSize(1);
  }

  @Test
  void a_token_that_may_only_write_to_what_is_there_is_enough() throws Exception {
    hub.model("me/adapter");
    hub.tricks.add(
        (exchange, path) -> {
          if (path.equals("/api/repos/create")) {
            FakeHub.error(exchange, 403, null, "You don't have the rights to create a model");
            return true;
          }
          return false;
        });
    push("me/adapter", Push.publicly());
    assertThatThrownBy(() -> push("me/other", Push.publicly()))
        .hasMessageContainingAll(
            "me/other: the hub forbids it: making the repository",
            "the answer 403: You don't have the rights",
            "fix: give the token from " + folder.resolve("token") + " that right");
  }

  @Test
  void a_refused_file_is_told_of() {
    hub.tricks.add(
        (exchange, path) -> {
          if (path.endsWith("/batch")) {
            byte[] json =
                ("{\"objects\": [{\"oid\": \""
                        + FakeHub.hex("SHA-256", WEIGHTS)
                        + "\", \"size\": 200000, \"error\": {\"code\": 422, \"message\":"
                        + " \"quota exceeded\"}}]}")
                    .getBytes(java.nio.charset.StandardCharsets.UTF_8);
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, json.length);
            exchange.getResponseBody().write(json);
            return true;
          }
          return false;
        });
    assertThatThrownBy(() -> push("me/adapter", Push.publicly()))
        .hasMessageContainingAll("adapter_model.safetensors was refused", "quota exceeded");
    assertThat(pushedModel("me/adapter").files).isEmpty();
  }

  @Test
  void what_is_missing_is_said_before_anything_is_sent() throws Exception {
    token = null;
    assertThatThrownBy(() -> push("me/adapter", Push.publicly()))
        .hasMessageContainingAll("without a token", "HF_TOKEN", "/settings/tokens");
    token = "hf_secret";
    offline = true;
    assertThatThrownBy(() -> push("me/adapter", Push.publicly()))
        .hasMessageContainingAll("me/adapter: cannot be pushed to", "fix: unset them");
    offline = false;
    Files.delete(adapter.resolve("adapter_config.json"));
    assertThatThrownBy(() -> push("me/adapter", Push.publicly()))
        .hasMessageContaining("neither an adapter nor a model");
    assertThat(hub.requests).isEmpty();
  }
}
