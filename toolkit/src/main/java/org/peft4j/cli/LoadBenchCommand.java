package org.peft4j.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.peft4j.Models;
import org.peft4j.format.AtomicFiles;
import org.peft4j.model.Pretrained;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** How long a model takes from a file in the page cache to weights in memory. */
@Command(
    name = "load",
    description = "Time how long a model takes to load, its file in the page cache.",
    mixinStandardHelpOptions = true)
final class LoadBenchCommand implements Callable<Integer> {
  private static final int WINDOW = 8 << 20;

  @Mixin private SpeedOptions options = new SpeedOptions();

  @Override
  public Integer call() throws IOException {
    Path scratch = Files.createTempDirectory("peft4j-bench");
    try {
      Path folder = options.folder(scratch);
      Path weights = folder.resolve("model.safetensors");
      Times times = new Times(Files.size(weights));
      load(folder); // warms up
      read(weights);
      for (int round = 0; round < options.rounds; round++) {
        for (int i = 0; i < options.runs; i++) {
          times.add("peft4j", load(folder));
          times.add("reading the file's bytes", read(weights));
        }
        if (options.python != null) {
          TransformersTimes.of(options.python, options.arguments("load", folder))
              .forEach((what, runs) -> times.add("Python, " + what, runs));
        }
      }
      System.out.printf(
          Locale.ROOT,
          "%s: %.0f MB, kept as %s, %d threads, medians of %d runs%n",
          weights.getFileName(),
          Files.size(weights) / 1e6,
          options.keepAs,
          options.threads(),
          options.rounds * options.runs);
      System.out.println(times);
    } finally {
      AtomicFiles.deleteTree(scratch);
    }
    return 0;
  }

  private double load(Path folder) {
    long start = System.nanoTime();
    try (Pretrained model = Models.load(folder, options.keepAs)) {
      return (System.nanoTime() - start) / 1e9;
    }
  }

  /** One pass over the bytes, into memory that is there already: what no loading can beat. */
  private static double read(Path file) throws IOException {
    ByteBuffer window = ByteBuffer.allocateDirect(WINDOW);
    long start = System.nanoTime();
    try (FileChannel channel = FileChannel.open(file)) {
      while (channel.read(window.clear()) >= 0) {
        // the next window
      }
    }
    return (System.nanoTime() - start) / 1e9;
  }
}
