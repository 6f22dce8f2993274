package org.peft4j.train;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.peft4j.Models;
import org.peft4j.model.Pretrained;

/** Real language models, from the folder that the environment variable PEFT4J_MODELS names. */
final class RealModels {
  private RealModels() {}

  /** A folder of that one; where there is none, the test is skipped with a message. */
  static Path folder(String name) {
    String models = System.getenv("PEFT4J_MODELS");
    assumeTrue(models != null, "PEFT4J_MODELS is not set: it names the folder with " + name);
    Path folder = Path.of(models).resolve(name);
    assumeTrue(Files.isDirectory(folder), folder + " is not there (PEFT4J_MODELS)");
    return folder;
  }

  /** The model of a folder: the Hugging Face directory that it is, or the file in it. */
  static Pretrained load(Path folder, String file) {
    return Models.load(Files.exists(folder.resolve("config.json")) ? folder : folder.resolve(file));
  }
}
