package org.peft4j.hub;

import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Downloads;
import org.peft4j.format.Json;

/** One folder on its way to the hub: a repository, its large files, and a commit of all. */
final class Upload {
  private static final Map<String, String> LINES = Map.of("Content-Type", "application/x-ndjson");

  private final HubSettings settings;
  private final Path folder;
  private final Push how;
  private final Downloads.Progress progress;
  private final Endpoint endpoint;
  private final String id;
  private final Requests requests;

  Upload(HubSettings settings, Path folder, String name, Push how, Downloads.Progress progress)
      throws IOException {
    this.settings = settings;
    this.folder = folder;
    this.how = how;
    this.progress = progress;
    endpoint = new Endpoint(settings.endpoint());
    requirePossible(name);
    id = Repository.of(name.contains("/") ? name : whoAmI() + "/" + name).id();
    requests = new Requests(settings, id);
  }

  private void requirePossible(String name) throws IOException {
    if (settings.offline()) {
      throw new IOException(
          Message.of(
              name,
              "cannot be pushed to",
              "the network",
              "HF_HUB_OFFLINE or PEFT4J_OFFLINE, which forbid it",
              "unset them"));
    }
    if (settings.token() == null) {
      throw new IOException(
          Message.of(
              name,
              "cannot be pushed to without a token",
              "HF_TOKEN, or the file that hf auth login writes",
              "neither",
              "make a token that may write at " + settings.endpoint() + "/settings/tokens"));
    }
    if (!Files.exists(folder.resolve("adapter_config.json"))
        && !Files.exists(folder.resolve("config.json"))) {
      throw new IllegalArgumentException(
          Message.of(
              folder,
              "neither an adapter nor a model",
              "adapter_config.json or config.json",
              Files.isDirectory(folder) ? "neither" : "no folder",
              "save it first, with tuned.save(...)"));
    }
  }

  private String whoAmI() throws IOException {
    Answer answer =
        new Requests(settings, "you").get(endpoint.api("whoami-v2"), "the owner of the token");
    if (answer.object().get("name") instanceof String name) {
      return name;
    }
    throw answer.malformed("a name");
  }

  Pushed run() throws IOException {
    createRepository();
    if (how.isPrivate()) {
      requirePrivate();
    }
    if (!how.branch().equals(Repository.of(id).revision())) {
      createBranch();
    }
    List<Payload> files = Payload.of(folder, id, how);
    Set<String> ignored = new HashSet<>();
    Set<String> large = large(files, ignored);
    files.removeIf(f -> ignored.contains(f.path()));
    Map<String, String> hashes = new LinkedHashMap<>();
    List<Payload> objects = files.stream().filter(f -> large.contains(f.path())).toList();
    for (Payload file : objects) {
      hashes.put(file.path(), file.sha256());
    }
    if (!objects.isEmpty()) {
      new LargeFiles(settings, requests, id, how.branch(), progress).upload(objects, hashes);
    }
    String commit = commit(files, hashes);
    long bytes = 0;
    for (Payload file : files) {
      bytes += file.size();
    }
    return new Pushed(
        id, endpoint.page(id), commit, files.stream().map(Payload::path).toList(), bytes);
  }

  private void createRepository() throws IOException {
    Map<String, @Nullable Object> repository = new LinkedHashMap<>();
    repository.put("name", id.substring(id.indexOf('/') + 1));
    repository.put("organization", id.substring(0, id.indexOf('/')));
    repository.put("type", "model");
    repository.put("visibility", how.isPrivate() ? "private" : "public");
    try {
      requests.post(endpoint.api("repos", "create"), repository, Map.of(), "making the repository");
    } catch (HubFailure e) {
      boolean there = e.kind() == HubFailure.Kind.CONFLICT;
      if (!there && !(e.kind() == HubFailure.Kind.REFUSED && exists())) {
        throw e; // a token may have the right to write to a repository, and not that to make one
      }
    }
  }

  private boolean exists() throws IOException {
    try {
      requests.get(endpoint.model(id), "the repository");
      return true;
    } catch (HubFailure e) {
      return false;
    }
  }

  /** Before anything is sent that others are not to see. */
  private void requirePrivate() throws IOException {
    Answer answer = requests.get(endpoint.model(id), "the repository");
    if (!Boolean.TRUE.equals(answer.object().get("private"))) {
      throw new IOException(
          Message.of(
              id,
              "is not private; nothing was pushed",
              "a private repository",
              "a public one",
              "make it private at " + endpoint.page(id) + "/settings, or push to another name"));
    }
  }

  private void createBranch() throws IOException {
    try {
      requests.post(
          endpoint.model(id, "branch", how.branch()), Map.of(), Map.of(), "making the branch");
    } catch (HubFailure e) {
      if (e.kind() != HubFailure.Kind.CONFLICT) {
        throw e;
      }
    }
  }

  /**
   * Which files the hub keeps outside of git.
   *
   * @param ignored gets those that the repository's .gitignore leaves out
   */
  private Set<String> large(List<Payload> files, Set<String> ignored) throws IOException {
    List<Object> asked = new ArrayList<>();
    for (Payload file : files) {
      asked.add(Map.of("path", file.path(), "sample", file.sample(), "size", file.size()));
    }
    Answer answer =
        requests.post(
            endpoint.model(id, "preupload", how.branch()),
            Map.of("files", asked),
            Map.of(),
            "announcing the files");
    if (!(answer.object().get("files") instanceof List<?> told)) {
      throw answer.malformed("files, each with its path and uploadMode");
    }
    Set<String> out = new HashSet<>();
    for (Object o : told) {
      if (!(o instanceof Map<?, ?> file)
          || !(file.get("path") instanceof String path)
          || !(file.get("uploadMode") instanceof String mode)) {
        throw answer.malformed("files, each with its path and uploadMode");
      }
      if (mode.equals("lfs")) {
        out.add(path);
      }
      if (Boolean.TRUE.equals(file.get("shouldIgnore"))) {
        ignored.add(path);
      }
    }
    for (Payload file : files) {
      if (file.size() == 0 || file.text() != null) {
        out.remove(file.path()); // nothing cannot be stored apart; and a card is a text
      }
    }
    return out;
  }

  private String commit(List<Payload> files, Map<String, String> hashes) throws IOException {
    StringBuilder lines = new StringBuilder();
    line(lines, "header", Map.of("summary", how.message(), "description", ""));
    for (Payload file : files) {
      String hash = hashes.get(file.path());
      Map<String, Object> value = new LinkedHashMap<>();
      value.put("path", file.path());
      if (hash == null) {
        value.put("content", file.base64());
        value.put("encoding", "base64");
        line(lines, "file", value);
      } else {
        value.put("algo", "sha256");
        value.put("oid", hash);
        value.put("size", file.size());
        line(lines, "lfsFile", value);
      }
    }
    byte[] body = lines.toString().getBytes(StandardCharsets.UTF_8);
    Answer answer =
        requests
            .once() // a second one could make a second commit
            .send(
                endpoint.model(id, "commit", how.branch()),
                "POST",
                () -> BodyPublishers.ofByteArray(body),
                body.length,
                LINES,
                "the commit");
    if (answer.object().get("commitOid") instanceof String commit) {
      return commit;
    }
    throw answer.malformed("the commit as commitOid");
  }

  private static void line(StringBuilder out, String key, Map<String, ?> value) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("key", key);
    line.put("value", value);
    out.append(Json.line(line)).append('\n');
  }
}
