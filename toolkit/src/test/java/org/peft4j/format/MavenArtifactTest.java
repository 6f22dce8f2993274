package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fast")
class MavenArtifactTest {
  private static final String PATH = "org/example/words/1.0/words-1.0.jar";

  @TempDir Path folder;
  private final Map<String, @Nullable String> before = new HashMap<>();
  private final List<String> requests = new ArrayList<>();
  private HttpServer server;
  private byte[] jar;
  private MavenArtifact artifact;

  @BeforeEach
  void start() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry("data/"));
      zip.putNextEntry(new ZipEntry("data/nouns.txt"));
      zip.write("entity\n".getBytes(StandardCharsets.UTF_8));
    }
    jar = bytes.toByteArray();
    String sha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(jar));
    artifact = new MavenArtifact("org.example", "words", "1.0", sha256);
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            requests.add(exchange.getRequestURI().getPath());
            exchange.sendResponseHeaders(200, jar.length);
            exchange.getResponseBody().write(jar);
          }
        });
    server.start();
    set("PEFT4J_HOME", folder.resolve("cache").toString());
    set("PEFT4J_MAVEN_REPO", "http://127.0.0.1:" + server.getAddress().getPort() + "/maven2/");
    set("maven.repo.local", folder.resolve("m2").toString());
  }

  private void set(String property, String value) {
    before.put(property, System.getProperty(property));
    System.setProperty(property, value);
  }

  @AfterEach
  void stop() {
    server.stop(0);
    before.forEach(
        (property, value) -> {
          if (value == null) {
            System.clearProperty(property);
          } else {
            System.setProperty(property, value);
          }
        });
  }

  @Test
  void downloads_once_and_extracts_once() throws Exception {
    Path words = artifact.extract("data/nouns.txt");
    assertThat(words).hasContent("entity\n").startsWith(folder.resolve("cache"));
    Files.writeString(words, "kept");
    assertThat(artifact.extract("data/nouns.txt")).isEqualTo(words).hasContent("kept");
    assertThat(artifact.jar()).hasBinaryContent(jar);
    assertThat(requests).containsExactly("/maven2/" + PATH);
  }

  @Test
  void prefers_the_users_own_maven_repository() throws Exception {
    Path own = folder.resolve("m2").resolve(PATH);
    Files.createDirectories(own.getParent());
    Files.write(own, jar);
    assertThat(artifact.jar()).isEqualTo(own);
    assertThat(requests).isEmpty();
  }

  @Test
  void passes_over_a_damaged_file_in_the_users_repository() throws Exception {
    Path own = folder.resolve("m2").resolve(PATH);
    Files.createDirectories(own.getParent());
    Files.writeString(own, "half");
    assertThat(artifact.jar()).startsWith(folder.resolve("cache")).hasBinaryContent(jar);
    assertThat(own).hasContent("half");
  }

  @Test
  void accepts_no_other_content() throws Exception {
    MavenArtifact other = new MavenArtifact("org.example", "words", "1.0", "0".repeat(64));
    assertThatThrownBy(other::jar)
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll("words-1.0.jar", "0".repeat(64));
    assertThat(artifact.jar()).hasBinaryContent(jar);
  }

  @Test
  void names_the_members_there_are() {
    assertThatThrownBy(() -> artifact.extract("data/verbs.txt"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "org.example:words:1.0", "no member \"data/verbs.txt\"", "[data/nouns.txt]");
    assertThatThrownBy(() -> artifact.extract("data/")).hasMessageContaining("no member");
  }

  @Test
  void refuses_members_and_coordinates_that_lead_elsewhere() {
    for (String member : List.of("../x", "/etc/passwd", "a/../../x", "")) {
      assertThatThrownBy(() -> artifact.extract(member))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("expected the name of a member");
    }
    String sha256 = artifact.sha256();
    for (String bad : List.of("..", "a/b", "", ".hidden", "a..b")) {
      assertThatThrownBy(() -> new MavenArtifact(bad, "words", "1.0", sha256))
          .hasMessageContaining("Maven artifact");
      assertThatThrownBy(() -> new MavenArtifact("org", bad, "1.0", sha256))
          .hasMessageContaining("Maven artifact");
      assertThatThrownBy(() -> new MavenArtifact("org", "words", bad, sha256))
          .hasMessageContaining("Maven artifact");
    }
    assertThatThrownBy(() -> new MavenArtifact("org", "words", "1", "12"))
        .hasMessageContaining("64 hexadecimal digits");
    assertThat(requests).isEmpty();
  }

  @Test
  void offline_says_where_the_jar_may_be_put() {
    set("PEFT4J_OFFLINE", "true");
    assertThatThrownBy(artifact::jar)
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll("PEFT4J_OFFLINE", "words-1.0.jar", "/maven2/" + PATH);
    assertThat(requests).isEmpty();
  }
}
