import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Properties;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * Fetches the Maven named in maven-wrapper.properties, checks its SHA-512 and unpacks it, once; prints its home. Run by mvnw
 * with the JDK's single-file launcher, so that a machine needs nothing but a JDK. MVNW_REPOURL names a mirror of Maven Central.
 */
public class Wrapper {
  public static void main(String[] args) throws Exception {
    Path properties = Path.of(args[0]);
    Path distributions = Path.of(args[1]);
    Properties p = new Properties();
    try (InputStream in = Files.newInputStream(properties)) {
      p.load(in);
    }
    String url = p.getProperty("distributionUrl");
    String mirror = System.getenv("MVNW_REPOURL");
    if (mirror != null && !mirror.isBlank()) {
      url = mirror.replaceAll("/+$", "") + url.substring(url.indexOf("/org/apache/maven/"));
    }
    String file = url.substring(url.lastIndexOf('/') + 1);
    Path home = distributions.resolve(file.replace("-bin.zip", ""));
    if (!Files.exists(home.resolve("bin").resolve("mvn"))) {
      System.err.println("Downloading " + url);
      Files.createDirectories(distributions);
      Path zip = Files.createTempFile(distributions, "download", ".zip");
      Path unpacked = Files.createTempDirectory(distributions, "unpack");
      try {
        try (InputStream in = URI.create(url).toURL().openStream()) {
          Files.copy(in, zip, StandardCopyOption.REPLACE_EXISTING);
        }
        String actual = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-512").digest(Files.readAllBytes(zip)));
        if (!actual.equals(p.getProperty("distributionSha512Sum"))) {
          throw new IOException("checksum of " + url + " is " + actual + ", expected " + p.getProperty("distributionSha512Sum"));
        }
        unzip(zip, unpacked);
        unpacked.resolve(home.getFileName()).resolve("bin").resolve("mvn").toFile().setExecutable(true);
        try {
          Files.move(unpacked.resolve(home.getFileName()), home, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
          if (!Files.exists(home.resolve("bin").resolve("mvn"))) { // otherwise another process was first
            throw e;
          }
        }
      } finally {
        Files.deleteIfExists(zip);
        delete(unpacked);
      }
    }
    System.out.println(home);
  }

  private static void unzip(Path zip, Path into) throws IOException {
    try (ZipInputStream in = new ZipInputStream(Files.newInputStream(zip))) {
      for (ZipEntry e = in.getNextEntry(); e != null; e = in.getNextEntry()) {
        Path target = into.resolve(e.getName()).normalize();
        if (!target.startsWith(into)) {
          throw new IOException("entry outside of the archive: " + e.getName());
        }
        if (e.isDirectory()) {
          Files.createDirectories(target);
        } else {
          Files.createDirectories(target.getParent());
          Files.copy(in, target);
        }
      }
    }
  }

  private static void delete(Path dir) throws IOException {
    try (var paths = Files.walk(dir)) {
      for (Path p : paths.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(p);
      }
    }
  }
}
