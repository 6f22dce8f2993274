package org.peft4j.hub;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Gives other programs a hub to talk to: serves folders {@code ROOT/org/name}, takes pushes, and
 * writes what was pushed back into {@code ROOT} when its input ends.
 */
final class ServeFakeHub {
  private ServeFakeHub() {}

  public static void main(String[] args) throws Exception {
    Path root = Path.of(args[0]);
    try (FakeHub hub = new FakeHub()) {
      hub.token = System.getenv("HF_TOKEN");
      try (Stream<Path> all = Files.walk(root)) {
        for (Path file : all.filter(Files::isRegularFile).toList()) {
          Path name = root.relativize(file);
          hub.model(name.getName(0) + "/" + name.getName(1))
              .files
              .put(name.subpath(2, name.getNameCount()).toString(), Files.readAllBytes(file));
        }
      }
      System.out.println(hub.endpoint());
      System.out.flush();
      while (System.in.read() >= 0) {
        // until the end of input
      }
      for (var model : hub.models.entrySet()) {
        for (var file : model.getValue().files.entrySet()) {
          Path to = root.resolve(model.getKey()).resolve(file.getKey());
          Files.createDirectories(to.getParent());
          Files.write(to, file.getValue());
        }
      }
      hub.requests.forEach(System.out::println);
    }
  }
}
