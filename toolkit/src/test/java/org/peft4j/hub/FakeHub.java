package org.peft4j.hub;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;

/**
 * The hub's protocol on this machine, as far as models need it: listings, files, large files on a
 * second host that takes no token, new repositories, uploads, commits. Tests tell it to misbehave.
 */
final class FakeHub implements AutoCloseable {
  /** Does something else with a request; false leaves it to the hub. */
  interface Trick {
    boolean on(HttpExchange exchange, String path) throws IOException;
  }

  /** A repository. */
  static final class Model {
    final Map<String, byte[]> files = new TreeMap<>();
    final Map<String, Map<String, byte[]>> commits = new LinkedHashMap<>();
    final List<String> messages = new ArrayList<>();
    boolean isPrivate;
    boolean isGated;

    String commit() {
      String commit = FakeHub.hex("SHA-1", files.keySet().toString().getBytes(UTF_8), all());
      commits.putIfAbsent(commit, new TreeMap<>(files));
      return commit;
    }

    private byte[] all() {
      StringBuilder s = new StringBuilder();
      files.values().forEach(f -> s.append(Arrays.hashCode(f)));
      return s.toString().getBytes(UTF_8);
    }
  }

  private static final java.nio.charset.Charset UTF_8 = StandardCharsets.UTF_8;
  private static final int LARGE = 1000;

  final Map<String, Model> models = Collections.synchronizedMap(new TreeMap<>());
  final Map<String, byte[]> objects = Collections.synchronizedMap(new TreeMap<>());
  final List<String> requests = Collections.synchronizedList(new ArrayList<>());
  final List<Trick> tricks = Collections.synchronizedList(new ArrayList<>());
  private final Map<String, byte[]> parts = Collections.synchronizedMap(new TreeMap<>());
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final HttpServer hub;
  private final HttpServer store;
  @Nullable String token;
  int partSize;

  FakeHub() throws IOException {
    hub = server(0, this::answer);
    store = server(0, this::answerForStore);
  }

  private interface Handler {
    void handle(HttpExchange exchange, String path) throws IOException;
  }

  private HttpServer server(int port, Handler handler) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    server.setExecutor(threads);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            String path = exchange.getRequestURI().getRawPath();
            boolean atHub = exchange.getLocalAddress().getPort() == hub().getAddress().getPort();
            String authorization = exchange.getRequestHeaders().getFirst("Authorization");
            String range = exchange.getRequestHeaders().getFirst("Range");
            requests.add(
                (atHub ? "hub " : "store ")
                    + exchange.getRequestMethod()
                    + " "
                    + path
                    + (authorization == null ? "" : " " + authorization)
                    + (range == null ? "" : " " + range));
            for (Trick trick : List.copyOf(tricks)) {
              if (trick.on(exchange, path)) {
                return;
              }
            }
            handler.handle(exchange, path);
          }
        });
    server.start();
    return server;
  }

  private HttpServer hub() {
    return hub;
  }

  String endpoint() {
    return "http://127.0.0.1:" + hub.getAddress().getPort();
  }

  /** Another host, by name too: Hugging Face's library compares names. */
  String storeAddress() {
    return "http://localhost:" + store.getAddress().getPort();
  }

  Model model(String id) {
    return models.computeIfAbsent(id, k -> new Model());
  }

  /** Requests whose line contains {@code text}. */
  List<String> asked(String text) {
    return requests.stream().filter(r -> r.contains(text)).toList();
  }

  @Override
  public void close() {
    hub.stop(0);
    store.stop(0);
    threads.shutdownNow();
  }

  // ---- the hub
  // ------------------------------------------------------------------------------------------------------------

  private void answer(HttpExchange exchange, String path) throws IOException {
    String authorization = exchange.getRequestHeaders().getFirst("Authorization");
    boolean known = token != null && ("Bearer " + token).equals(authorization);
    String method = exchange.getRequestMethod();
    if (authorization != null && !known) {
      error(exchange, 401, null, "Invalid credentials in Authorization header");
    } else if (path.equals("/api/whoami-v2")) {
      json(exchange, 200, Map.of("name", "me"));
    } else if (path.equals("/api/repos/create")) {
      create(exchange);
    } else if (path.matches("/[^/]+/[^/]+\\.git/info/lfs/objects/batch")) {
      batch(exchange);
    } else if (path.startsWith("/complete/")) {
      complete(exchange, path.substring("/complete/".length()));
    } else if (path.startsWith("/verify/")) {
      Map<?, ?> asked = (Map<?, ?>) body(exchange);
      boolean there = objects.containsKey(String.valueOf(asked.get("oid")));
      json(exchange, there ? 200 : 404, Map.of());
    } else {
      String[] p = path.substring(1).split("/");
      boolean api = p[0].equals("api");
      String id = api ? p[2] + "/" + p[3] : p[0] + "/" + p[1];
      String[] rest = Arrays.copyOfRange(p, api ? 4 : 2, p.length);
      Model model = models.get(id);
      if (model == null || (model.isPrivate && !known)) {
        error(exchange, known ? 404 : 401, "RepoNotFound", "Repository not found");
      } else if (method.equals("POST")) {
        write(exchange, id, model, rest);
      } else if (api && rest.length > 1 && rest[0].equals("tree")) {
        tree(exchange, model.commits.getOrDefault(decoded(rest[1]), model.files));
      } else if (api && (rest.length == 0 || rest[0].equals("revision"))) {
        list(exchange, id, model, rest.length == 0 ? "main" : decoded(rest[1]));
      } else if (model.isGated && !known) {
        error(exchange, 401, "GatedRepo", "Access to model " + id + " is restricted");
      } else {
        String file = String.join("/", Arrays.copyOfRange(rest, 2, rest.length));
        resolve(exchange, model, decoded(rest[1]), decoded(file));
      }
    }
  }

  private static String decoded(String s) {
    return URLDecoder.decode(s, UTF_8);
  }

  private void list(HttpExchange exchange, String id, Model model, String revision)
      throws IOException {
    String head = model.commit();
    String commit = revision.equals("main") || revision.equals("v1") ? head : revision;
    Map<String, byte[]> files = model.commits.get(commit);
    if (files == null) {
      error(exchange, 404, "RevisionNotFound", "Invalid rev id: " + revision);
      return;
    }
    List<Object> siblings = new ArrayList<>();
    files.keySet().forEach(f -> siblings.add(Map.of("rfilename", f)));
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("id", id);
    out.put("modelId", id);
    out.put("sha", commit);
    out.put("private", model.isPrivate);
    out.put("tags", List.of());
    out.put("downloads", 0L);
    out.put("likes", 0L);
    out.put("siblings", siblings);
    json(exchange, 200, out);
  }

  private void tree(HttpExchange exchange, Map<String, byte[]> files) throws IOException {
    List<Object> out = new ArrayList<>();
    files.forEach(
        (path, content) -> {
          Map<String, Object> file = new LinkedHashMap<>();
          file.put("type", "file");
          file.put("path", path);
          file.put("size", content.length);
          file.put("oid", gitHash(content));
          if (content.length >= LARGE) {
            String oid = hex("SHA-256", content);
            file.put("lfs", Map.of("oid", oid, "size", content.length, "pointerSize", 130));
          }
          out.add(file);
        });
    json(exchange, 200, out);
  }

  private void resolve(HttpExchange exchange, Model model, String revision, String file)
      throws IOException {
    String commit = revision.equals("main") ? model.commit() : revision;
    Map<String, byte[]> files = model.commits.get(commit);
    if (files == null) {
      error(exchange, 404, "RevisionNotFound", "Invalid rev id: " + revision);
      return;
    }
    exchange.getResponseHeaders().set("X-Repo-Commit", commit);
    byte[] content = files.get(file);
    if (content == null) {
      error(exchange, 404, "EntryNotFound", "Entry not found");
      return;
    }
    if (content.length < LARGE) {
      exchange.getResponseHeaders().set("ETag", "\"" + gitHash(content) + "\"");
      send(exchange, content);
      return;
    }
    String sha256 = hex("SHA-256", content);
    objects.put(sha256, content);
    exchange.getResponseHeaders().set("X-Linked-ETag", "\"" + sha256 + "\"");
    exchange.getResponseHeaders().set("X-Linked-Size", String.valueOf(content.length));
    exchange.getResponseHeaders().set("ETag", "\"" + gitHash(sha256.getBytes(UTF_8)) + "\"");
    exchange.getResponseHeaders().set("Location", storeAddress() + "/objects/" + sha256);
    exchange.sendResponseHeaders(302, -1);
  }

  private void create(HttpExchange exchange) throws IOException {
    Map<?, ?> asked = (Map<?, ?>) body(exchange);
    String id = asked.get("organization") + "/" + asked.get("name");
    if (models.containsKey(id)) {
      json(exchange, 409, Map.of("error", "You already created this model repo"));
      return;
    }
    model(id).isPrivate = "private".equals(asked.get("visibility"));
    json(exchange, 200, Map.of("url", endpoint() + "/" + id));
  }

  private void write(HttpExchange exchange, String id, Model model, String[] rest)
      throws IOException {
    switch (rest[0]) {
      case "branch" -> json(exchange, 200, Map.of());
      case "preupload" -> {
        List<Object> files = new ArrayList<>();
        for (Object o : (List<?>) ((Map<?, ?>) body(exchange)).get("files")) {
          String path = String.valueOf(((Map<?, ?>) o).get("path"));
          boolean large = path.endsWith(".safetensors");
          files.add(
              Map.of(
                  "path",
                  path,
                  "uploadMode",
                  large ? "lfs" : "regular",
                  "shouldIgnore",
                  path.endsWith(".log")));
        }
        json(exchange, 200, Map.of("files", files));
      }
      case "commit" -> {
        for (String line :
            new String(exchange.getRequestBody().readAllBytes(), UTF_8).split("\n")) {
          Map<?, ?> item = (Map<?, ?>) Json.parse(line, "commit");
          Map<?, ?> value = (Map<?, ?>) item.get("value");
          String path = String.valueOf(value.get("path"));
          switch (String.valueOf(item.get("key"))) {
            case "header" -> model.messages.add(String.valueOf(value.get("summary")));
            case "file" ->
                model.files.put(
                    path, Base64.getDecoder().decode(String.valueOf(value.get("content"))));
            case "lfsFile" -> {
              byte[] content = objects.get(String.valueOf(value.get("oid")));
              if (content == null) {
                error(exchange, 400, null, "the large file is not there");
                return;
              }
              model.files.put(path, content);
            }
            default -> throw new IOException(line);
          }
        }
        String commit = model.commit();
        json(
            exchange,
            200,
            Map.of("commitOid", commit, "commitUrl", endpoint() + "/" + id + "/commit/" + commit));
      }
      default -> error(exchange, 404, null, "what?");
    }
  }

  private void batch(HttpExchange exchange) throws IOException {
    List<Object> out = new ArrayList<>();
    for (Object o : (List<?>) ((Map<?, ?>) body(exchange)).get("objects")) {
      Map<?, ?> object = (Map<?, ?>) o;
      String oid = String.valueOf(object.get("oid"));
      long size = ((Number) object.get("size")).longValue();
      Map<String, Object> told = new LinkedHashMap<>();
      told.put("oid", oid);
      told.put("size", size);
      if (!objects.containsKey(oid)) {
        Map<String, Object> verify = Map.of("href", endpoint() + "/verify/" + oid);
        if (partSize == 0) {
          told.put(
              "actions",
              Map.of("upload", Map.of("href", storeAddress() + "/put/" + oid), "verify", verify));
        } else {
          Map<String, Object> header = new LinkedHashMap<>();
          header.put("chunk_size", String.valueOf(partSize));
          for (long n = 1; (n - 1) * partSize < size; n++) {
            header.put(String.format("%05d", n), storeAddress() + "/part/" + oid + "/" + n);
          }
          told.put(
              "actions",
              Map.of(
                  "upload",
                  Map.of("href", endpoint() + "/complete/" + oid, "header", header),
                  "verify",
                  verify));
        }
      }
      out.add(told);
    }
    json(exchange, 200, Map.of("transfer", "basic", "objects", out));
  }

  private void complete(HttpExchange exchange, String oid) throws IOException {
    Map<?, ?> asked = (Map<?, ?>) body(exchange);
    java.io.ByteArrayOutputStream whole = new java.io.ByteArrayOutputStream();
    for (Object o : (List<?>) asked.get("parts")) {
      Map<?, ?> part = (Map<?, ?>) o;
      byte[] content = parts.get(oid + "/" + part.get("partNumber"));
      if (content == null || !("\"" + gitHash(content) + "\"").equals(part.get("etag"))) {
        error(exchange, 400, null, "no such part");
        return;
      }
      whole.write(content);
    }
    objects.put(hex("SHA-256", whole.toByteArray()), whole.toByteArray());
    json(exchange, 200, Map.of());
  }

  // ---- the store
  // ----------------------------------------------------------------------------------------------------------

  private void answerForStore(HttpExchange exchange, String path) throws IOException {
    String[] p = path.substring(1).split("/", 2);
    switch (p[0]) {
      case "objects" -> send(exchange, objects.get(p[1]));
      case "put" -> {
        byte[] content = exchange.getRequestBody().readAllBytes();
        objects.put(hex("SHA-256", content), content);
        exchange.sendResponseHeaders(200, -1);
      }
      case "part" -> {
        byte[] content = exchange.getRequestBody().readAllBytes();
        parts.put(p[1], content);
        exchange.getResponseHeaders().set("ETag", "\"" + gitHash(content) + "\"");
        exchange.sendResponseHeaders(200, -1);
      }
      default -> exchange.sendResponseHeaders(404, -1);
    }
  }

  // ---- HTTP
  // ---------------------------------------------------------------------------------------------------------------

  /** The content, or the rest of it that a Range asks for. */
  static void send(HttpExchange exchange, byte[] content) throws IOException {
    String range = exchange.getRequestHeaders().getFirst("Range");
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.getResponseHeaders().set("Content-Length", String.valueOf(content.length));
      exchange.sendResponseHeaders(200, -1);
    } else if (range == null) {
      exchange.sendResponseHeaders(200, content.length == 0 ? -1 : content.length);
      exchange.getResponseBody().write(content);
    } else {
      int begin = Integer.parseInt(range.replaceAll("\\D", ""));
      exchange
          .getResponseHeaders()
          .set(
              "Content-Range",
              "bytes " + begin + "-" + (content.length - 1) + "/" + content.length);
      exchange.sendResponseHeaders(206, content.length - begin);
      exchange.getResponseBody().write(content, begin, content.length - begin);
    }
  }

  static void error(HttpExchange exchange, int status, @Nullable String code, String message)
      throws IOException {
    if (code != null) {
      exchange.getResponseHeaders().set("X-Error-Code", code);
    }
    exchange.getResponseHeaders().set("X-Error-Message", message);
    exchange.sendResponseHeaders(status, -1);
  }

  private static void json(HttpExchange exchange, int status, Object value) throws IOException {
    byte[] bytes = Json.line(value).getBytes(UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  private static @Nullable Object body(HttpExchange exchange) throws IOException {
    return Json.parse(new String(exchange.getRequestBody().readAllBytes(), UTF_8), "request");
  }

  static String gitHash(byte[] content) {
    return hex("SHA-1", ("blob " + content.length + "\0").getBytes(UTF_8), content);
  }

  static String hex(String algorithm, byte[]... parts) {
    try {
      MessageDigest digest = MessageDigest.getInstance(algorithm);
      for (byte[] part : parts) {
        digest.update(part);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
