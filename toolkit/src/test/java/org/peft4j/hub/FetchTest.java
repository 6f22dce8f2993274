package org.peft4j.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Downloads;
import org.peft4j.format.Patience;

@Tag("fast")
class FetchTest {
  private static final String ID = "org/name";
  private static final byte[] WEIGHTS = new byte[200_000];
  private static final byte[] OTHER = new byte[200_000];

  static {
    new Random(1).nextBytes(WEIGHTS);
    new Random(2).nextBytes(OTHER);
  }

  @TempDir Path folder;
  private FakeHub hub;
  private FakeHub.Model model;
  private @Nullable String token;
  private boolean offline;
  private boolean links = true;
  private final List<Long> pauses = Collections.synchronizedList(new ArrayList<>());
  private final List<long[]> progress = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void start() throws IOException {
    hub = new FakeHub();
    model = hub.model(ID);
    model.files.put("config.json", bytes("{\"model_type\": \"llama\"}"));
    model.files.put("model.safetensors", WEIGHTS);
    model.files.put("pytorch_model.bin", OTHER);
    model.files.put("tokenizer.json", bytes("{}"));
    model.files.put("README.md", bytes("read me"));
    model.files.put("onnx/model.onnx", OTHER);
  }

  @AfterEach
  void stop() {
    hub.close();
  }

  private static byte[] bytes(String s) {
    return s.getBytes(StandardCharsets.UTF_8);
  }

  private HubSettings settings() {
    String was = System.getProperty("HF_TOKEN");
    Token who;
    try {
      System.setProperty("HF_TOKEN", token == null ? " " : token);
      who = Token.find(folder.resolve("no-token"));
    } finally {
      if (was == null) {
        System.clearProperty("HF_TOKEN");
      } else {
        System.setProperty("HF_TOKEN", was);
      }
    }
    return new HubSettings(
        URI.create(hub.endpoint()),
        folder.resolve("hub"),
        who,
        offline,
        links,
        new Patience(
            3, Duration.ofMillis(100), Duration.ofSeconds(60), Duration.ofMinutes(2), pauses::add));
  }

  private Path fetch(String name, Wanted wanted) throws IOException {
    Downloads.Progress told = (bytes, total) -> progress.add(new long[] {bytes, total});
    return new Fetch(settings(), Repository.parse(name), wanted, told).run();
  }

  private Path fetch(String name) throws IOException {
    return fetch(name, Wanted.MODEL);
  }

  /** Everything in the cache, links with where they lead. */
  private List<String> cache() throws IOException {
    Path root = folder.resolve("hub");
    try (Stream<Path> all = Files.walk(root)) {
      List<String> out = new ArrayList<>();
      for (Path p : all.sorted().toList()) {
        String name = root.relativize(p).toString().replace('\\', '/');
        if (Files.isSymbolicLink(p)) {
          out.add(name + " -> " + Files.readSymbolicLink(p).toString().replace('\\', '/'));
        } else if (Files.isRegularFile(p)) {
          out.add(name);
        }
      }
      return out;
    }
  }

  @Test
  void writes_the_cache_as_hugging_faces_library_does() throws Exception {
    String commit = model.commit();
    Path dir = fetch("hub:org/name");
    String config = FakeHub.gitHash(model.files.get("config.json"));
    String tokenizer = FakeHub.gitHash(model.files.get("tokenizer.json"));
    String weights = FakeHub.hex("SHA-256", WEIGHTS);
    String root = "models--org--name/";
    Set<String> expected =
        new TreeSet<>(
            List.of(
                "CACHEDIR.TAG",
                root + "refs/main",
                root + "blobs/" + config,
                root + "blobs/" + tokenizer,
                root + "blobs/" + weights,
                ".locks/" + root + config + ".lock",
                ".locks/" + root + tokenizer + ".lock",
                ".locks/" + root + weights + ".lock",
                root + "snapshots/" + commit + "/config.json -> ../../blobs/" + config,
                root + "snapshots/" + commit + "/tokenizer.json -> ../../blobs/" + tokenizer,
                root + "snapshots/" + commit + "/model.safetensors -> ../../blobs/" + weights));
    for (String absent :
        List.of(
            "tokenizer_config.json",
            "special_tokens_map.json",
            "generation_config.json",
            "chat_template.jinja",
            "chat_template.json",
            "modules.json",
            "sentence_bert_config.json")) {
      expected.add(root + ".no_exist/" + commit + "/" + absent);
    }
    assertThat(cache()).containsExactlyInAnyOrderElementsOf(expected);
    assertThat(dir).isEqualTo(folder.resolve("hub/" + root + "snapshots/" + commit));
    assertThat(folder.resolve("hub/" + root + "refs/main")).hasContent(commit);
    assertThat(dir.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(progress.get(progress.size() - 1)[0]).isEqualTo(progress.get(0)[1]);
  }

  @Test
  void asks_only_whether_there_is_something_new() throws Exception {
    fetch("hub:org/name");
    hub.requests.clear();
    fetch("hub:org/name");
    assertThat(hub.requests).containsExactly("hub GET /api/models/org/name/revision/main");
  }

  @Test
  void a_new_commit_fetches_what_has_changed() throws Exception {
    Path old = fetch("hub:org/name");
    model.files.put("config.json", bytes("{\"model_type\": \"qwen2\"}"));
    hub.requests.clear();
    Path dir = fetch("hub:org/name");
    assertThat(dir).isNotEqualTo(old);
    assertThat(dir.resolve("config.json")).hasContent("{\"model_type\": \"qwen2\"}");
    assertThat(dir.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(hub.asked("/objects/")).isEmpty();
    assertThat(old.resolve("config.json")).hasContent("{\"model_type\": \"llama\"}");
  }

  @Test
  void a_commit_that_is_there_needs_no_network() throws Exception {
    String commit = model.commit();
    fetch("hub:org/name@" + commit);
    assertThat(folder.resolve("hub/models--org--name/refs")).doesNotExist();
    hub.requests.clear();
    fetch("hub:org/name@" + commit);
    assertThat(hub.requests).isEmpty();
  }

  @Test
  void a_branch_or_tag_is_remembered_with_slashes() throws Exception {
    hub.tricks.add(
        (exchange, path) -> {
          if (path.endsWith("/revision/refs%2Fpr%2F1")) {
            exchange.getResponseHeaders().set("Location", path.replace("refs%2Fpr%2F1", "main"));
            exchange.sendResponseHeaders(307, -1);
            return true;
          }
          return false;
        });
    fetch("hub:org/name@refs/pr/1");
    assertThat(folder.resolve("hub/models--org--name/refs/refs/pr/1")).hasContent(model.commit());
  }

  @Test
  void shards_are_those_that_the_index_names() throws Exception {
    model.files.remove("model.safetensors");
    model.files.put("model-00001-of-00002.safetensors", WEIGHTS);
    model.files.put("model-00002-of-00002.safetensors", OTHER);
    model.files.put("model-old.safetensors", OTHER);
    model.files.put(
        "model.safetensors.index.json",
        bytes(
            "{\"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\","
                + " \"b\": \"model-00002-of-00002.safetensors\"}}"));
    Path dir = fetch("hub:org/name");
    try (Stream<Path> files = Files.list(dir)) {
      assertThat(files.map(f -> f.getFileName().toString()))
          .containsExactlyInAnyOrder(
              "config.json",
              "tokenizer.json",
              "model.safetensors.index.json",
              "model-00001-of-00002.safetensors",
              "model-00002-of-00002.safetensors");
    }
  }

  @Test
  void pickles_come_only_where_there_is_nothing_else() throws Exception {
    model.files.remove("model.safetensors");
    assertThat(fetch("hub:org/name").resolve("pytorch_model.bin")).hasBinaryContent(OTHER);
  }

  @Test
  void an_adapter_is_two_files() throws Exception {
    FakeHub.Model adapter = hub.model("me/adapter");
    adapter.files.put("adapter_config.json", bytes("{}"));
    adapter.files.put("adapter_model.safetensors", WEIGHTS);
    adapter.files.put("optimizer.pt", OTHER);
    Path dir = fetch("hub:me/adapter", Wanted.ADAPTER);
    try (Stream<Path> files = Files.list(dir)) {
      assertThat(files.map(f -> f.getFileName().toString()))
          .containsExactlyInAnyOrder("adapter_config.json", "adapter_model.safetensors");
    }
    assertThatThrownBy(() -> fetch("hub:me/adapter"))
        .hasMessageContainingAll(
            "hub:me/adapter: an adapter, no model", "fix:", "Peft.load(model, \"hub:me/adapter\")");
    assertThatThrownBy(() -> fetch("hub:org/name", Wanted.ADAPTER))
        .hasMessageContainingAll("expected: adapter_config.json", "found: README.md, config.json");
  }

  @Test
  void an_adapter_may_lie_in_a_folder() throws Exception {
    model.files.put("polite/adapter_config.json", bytes("{}"));
    model.files.put("polite/adapter_model.safetensors", WEIGHTS);
    Path dir = fetch("hub:org/name/polite", Wanted.ADAPTER);
    assertThat(dir).hasFileName("polite");
    assertThat(dir.resolve("adapter_model.safetensors")).hasBinaryContent(WEIGHTS);
  }

  @Test
  void of_several_gguf_files_one_is_to_be_named() throws Exception {
    FakeHub.Model gguf = hub.model("org/gguf");
    gguf.files.put("m-q4.gguf", WEIGHTS);
    assertThat(fetch("hub:org/gguf")).hasFileName("m-q4.gguf").hasBinaryContent(WEIGHTS);
    gguf.files.put("m-q8.gguf", OTHER);
    assertThatThrownBy(() -> fetch("hub:org/gguf"))
        .hasMessageContainingAll(
            "several models", "m-q4.gguf, m-q8.gguf", "hub:org/gguf/m-q4.gguf");
    assertThat(fetch("hub:org/gguf/m-q8.gguf")).hasBinaryContent(OTHER);
    assertThatThrownBy(() -> fetch("hub:org/gguf/m-q2.gguf"))
        .hasMessageContainingAll("a file is missing", "m-q2.gguf", "m-q4.gguf");
  }

  @Test
  void the_token_goes_to_the_hub_and_not_where_it_redirects_to() throws Exception {
    token = "hf_secret";
    hub.token = token;
    model.isPrivate = true;
    fetch("hub:org/name");
    assertThat(hub.asked("hub ")).allMatch(r -> r.contains(" Bearer hf_secret"));
    assertThat(hub.asked("store ")).hasSize(1).noneMatch(r -> r.contains("secret"));
    assertThat(settings().toString()).doesNotContain("secret");
  }

  @Test
  void a_mirror_gets_the_token_and_who_it_sends_to_does_not() throws Exception {
    token = "hf_secret";
    try (FakeHub mirror = new FakeHub()) {
      mirror.tricks.add(
          (exchange, path) -> {
            exchange.getResponseHeaders().set("Location", hub.endpoint() + path);
            exchange.sendResponseHeaders(308, -1);
            return true;
          });
      HubSettings s = settings();
      HubSettings mirrored =
          new HubSettings(
              URI.create(mirror.endpoint()), s.cache(), s.token(), false, true, s.patience());
      Repository repository = Repository.parse("hub:org/name");
      Path dir = new Fetch(mirrored, repository, Wanted.MODEL, Downloads.Progress.NONE).run();
      assertThat(dir.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
      assertThat(mirror.requests).isNotEmpty().allMatch(r -> r.contains("Bearer hf_secret"));
      assertThat(hub.requests).isNotEmpty().noneMatch(r -> r.contains("secret"));
    }
  }

  @Test
  void a_download_that_breaks_off_goes_on_in_the_next_run() throws Exception {
    AtomicBoolean broken = new AtomicBoolean(true);
    hub.tricks.add(
        (exchange, path) -> {
          if (path.startsWith("/objects/") && broken.get()) {
            if (exchange.getRequestHeaders().getFirst("Range") == null) {
              exchange.sendResponseHeaders(200, WEIGHTS.length);
              exchange.getResponseBody().write(WEIGHTS, 0, 50_000);
              exchange.getResponseBody().flush();
            }
            throw new IOException("breaks off");
          }
          return false;
        });
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll(
            "cannot be fetched", "after 3 attempts", "goes on where it stopped");
    String part =
        "models--org--name/blobs/" + FakeHub.hex("SHA-256", WEIGHTS) + ".peft4j.incomplete";
    assertThat(cache()).contains(part);
    assertThat(folder.resolve("hub/models--org--name/refs/main")).doesNotExist();
    hub.requests.clear();
    broken.set(false);
    assertThat(fetch("hub:org/name").resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(hub.asked("/objects/")).hasSize(1).allMatch(r -> r.matches(".*bytes=[1-9]\\d*-"));
    assertThat(cache()).doesNotContain(part);
  }

  @Test
  void wrong_bytes_are_thrown_away() throws Exception {
    hub.tricks.add(
        (exchange, path) -> {
          if (path.startsWith("/objects/")) {
            FakeHub.send(exchange, OTHER);
            return true;
          }
          return false;
        });
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll(
            "not the content it should be",
            "expected: SHA-256 " + FakeHub.hex("SHA-256", WEIGHTS),
            "found: SHA-256 " + FakeHub.hex("SHA-256", OTHER));
    assertThat(cache()).noneMatch(f -> f.contains("incomplete"));
    assertThat(cache()).noneMatch(f -> f.endsWith("blobs/" + FakeHub.hex("SHA-256", WEIGHTS)));
  }

  @Test
  void small_files_are_checked_too() {
    hub.tricks.add(
        (exchange, path) -> {
          boolean get = exchange.getRequestMethod().equals("GET");
          if (get && path.endsWith("/config.json")) {
            FakeHub.send(exchange, bytes("{\"model_type\": \"wrong\"}"));
            return true;
          }
          return false;
        });
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll("not the content it should be", "git's SHA-1");
  }

  @Test
  void a_length_that_is_not_the_announced_one_is_refused() {
    byte[] longer = Arrays.copyOf(WEIGHTS, WEIGHTS.length + 10);
    hub.tricks.add(
        (exchange, path) -> {
          if (path.startsWith("/objects/")) {
            FakeHub.send(exchange, longer);
            return true;
          }
          return false;
        });
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll("expected: 200000 bytes", "found: 200010 bytes");
  }

  @Test
  void a_server_that_limits_is_waited_for() throws Exception {
    AtomicInteger api = new AtomicInteger();
    AtomicInteger store = new AtomicInteger();
    hub.tricks.add(
        (exchange, path) -> {
          if (path.startsWith("/api/") && api.getAndIncrement() == 0) {
            exchange.getResponseHeaders().set("Retry-After", "7");
            exchange.sendResponseHeaders(429, -1);
            return true;
          }
          if (path.startsWith("/objects/") && store.getAndIncrement() == 0) {
            exchange.getResponseHeaders().set("RateLimit", "\"resolvers\";r=0;t=9");
            exchange.sendResponseHeaders(429, -1);
            return true;
          }
          return false;
        });
    assertThat(fetch("hub:org/name").resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(pauses).containsExactly(7000L, 9000L);
  }

  @Test
  void a_server_that_limits_for_good_is_told_of() {
    hub.tricks.add(
        (exchange, path) -> {
          exchange.getResponseHeaders().set("Retry-After", "300");
          FakeHub.error(exchange, 429, null, "We had to rate limit your IP");
          return true;
        });
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll(
            "org/name: revision main cannot be had from " + hub.endpoint(),
            "found: the answer 429: We had to rate limit your IP, to be asked again in 300 s",
            "after 3 attempts",
            "fix: wait",
            "HF_TOKEN");
    assertThat(pauses).containsExactly(60_000L, 60_000L);
  }

  @Test
  void without_an_answer_the_cache_serves() throws Exception {
    Path dir = fetch("hub:org/name");
    hub.tricks.add(
        (exchange, path) -> {
          exchange.sendResponseHeaders(503, -1);
          return true;
        });
    assertThat(fetch("hub:org/name")).isEqualTo(dir);
    assertThat(pauses).isEmpty();
    assertThatThrownBy(() -> fetch("hub:org/other"))
        .hasMessageContainingAll("org/other", "the answer 503", "after 3 attempts");
  }

  @Test
  void offline_it_asks_nobody() throws Exception {
    offline = true;
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll(
            "hub:org/name: not in the cache", "HF_HUB_OFFLINE", "found: nothing of it", "fix:");
    offline = false;
    Path dir = fetch("hub:org/name");
    offline = true;
    hub.requests.clear();
    assertThat(fetch("hub:org/name")).isEqualTo(dir);
    assertThat(fetch("hub:org/name@" + model.commit())).isEqualTo(dir);
    Files.delete(dir.resolve("model.safetensors"));
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContaining("found: only config.json, tokenizer.json");
    assertThat(hub.requests).isEmpty();
  }

  @Test
  void what_is_not_there_is_told_of() {
    assertThatThrownBy(() -> fetch("hub:org/nothing"))
        .hasMessageContainingAll(
            "org/nothing: no such repository that one sees without a token",
            "found: the answer 401: Repository not found",
            "fix: check the name; if it is private or gated, set HF_TOKEN");
    assertThatThrownBy(() -> fetch("hub:org/name@v9"))
        .hasMessageContainingAll("org/name: has no revision v9", "Invalid rev id: v9");
    model.files.remove("config.json");
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll("hub:org/name: no model", "found: README.md, model.safetensors");
  }

  @Test
  void a_gated_model_says_where_to_accept_its_terms() {
    model.isGated = true;
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll(
            "org/name: its authors let in only those who accept their terms",
            "fix: accept the licence at " + hub.endpoint() + "/org/name, and set HF_TOKEN");
    token = "hf_wrong";
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContainingAll("the hub does not know the token from HF_TOKEN", "fix: make a new")
        .hasMessageNotContaining("hf_wrong");
  }

  @Test
  void without_links_the_files_themselves_stand_there() throws Exception {
    links = false;
    Path dir = fetch("hub:org/name");
    assertThat(Files.isSymbolicLink(dir.resolve("model.safetensors"))).isFalse();
    assertThat(dir.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(cache()).noneMatch(f -> f.contains("/blobs/"));
    hub.requests.clear();
    fetch("hub:org/name");
    assertThat(hub.requests).hasSize(1);
  }

  @Test
  void files_of_equal_content_are_fetched_once() throws Exception {
    model.files.put("tokenizer_config.json", model.files.get("tokenizer.json"));
    Path dir = fetch("hub:org/name");
    assertThat(dir.resolve("tokenizer_config.json")).hasContent("{}");
    assertThat(hub.asked("GET /org/name/resolve/").stream().filter(r -> r.contains("tokenizer")))
        .hasSize(1);
  }

  @Test
  void a_server_cannot_write_elsewhere() {
    hub.tricks.add(
        (exchange, path) -> {
          if (path.startsWith("/api/")) {
            byte[] json =
                bytes(
                    "{\"sha\": \""
                        + "a".repeat(40)
                        + "\", \"siblings\": [{\"rfilename\": \"../../../config.json\"}]}");
            exchange.sendResponseHeaders(200, json.length);
            exchange.getResponseBody().write(json);
            return true;
          }
          return false;
        });
    assertThatThrownBy(() -> fetch("hub:org/name"))
        .hasMessageContaining("expected: siblings, each with the path of a file");
  }

  @Test
  void names_are_checked_before_anything_is_asked() {
    for (String wrong :
        List.of(
            "hub:",
            "hub:../x",
            "hub:org/../x",
            "hub:org/na--me",
            "hub:org/name.git",
            "hub:org/name@",
            "hub:org/name@../x",
            "hub:org/name@a\nb\nc",
            "hub:org/name/../x",
            "hub:org/-name",
            "hub:o r/name")) {
      assertThatThrownBy(() -> Repository.parse(wrong))
          .as(wrong)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll("hub: not a repository's name", "expected:");
    }
    assertThat(Repository.parse("hub:gpt2")).isEqualTo(new Repository("gpt2", "", "main"));
    assertThat(Repository.parse("hub:a/b@v1")).hasToString("hub:a/b@v1");
    assertThat(Repository.parse("hub:a/b/c/d.gguf@v1"))
        .isEqualTo(new Repository("a/b", "c/d.gguf", "v1"));
  }
}
