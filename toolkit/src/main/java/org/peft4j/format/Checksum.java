package org.peft4j.format;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;

/**
 * What the content of a file hashes to.
 *
 * @param hex the digits, in lower case
 */
public record Checksum(Kind kind, String hex) {
  /** Which hash it is. */
  public enum Kind {
    /** SHA-256 of the content. */
    SHA_256("SHA-256", "SHA-256"),
    /** SHA-1 of git's blob: {@code "blob <length>\0"} and the content. */
    GIT_BLOB("git's SHA-1", "SHA-1");

    private final String words;
    private final String algorithm;

    Kind(String words, String algorithm) {
      this.words = words;
      this.algorithm = algorithm;
    }
  }

  public Checksum {
    hex = hex.toLowerCase(Locale.ROOT);
  }

  public static Checksum sha256(String hex) {
    return new Checksum(Kind.SHA_256, hex);
  }

  public static Checksum gitBlob(String hex) {
    return new Checksum(Kind.GIT_BLOB, hex);
  }

  /** The hash of a file. */
  public static Checksum of(Kind kind, Path file) throws IOException {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance(kind.algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JDK has them
    }
    if (kind == Kind.GIT_BLOB) {
      digest.update(("blob " + Files.size(file) + "\0").getBytes(StandardCharsets.US_ASCII));
    }
    byte[] buffer = new byte[1 << 16];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
    }
    return new Checksum(kind, HexFormat.of().formatHex(digest.digest()));
  }

  /** The same hash of a file. */
  Checksum of(Path file) throws IOException {
    return of(kind, file);
  }

  @Override
  public String toString() {
    return kind.words + " " + hex;
  }
}
