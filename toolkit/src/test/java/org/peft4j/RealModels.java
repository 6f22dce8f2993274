package org.peft4j;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Real models with reference values, in the folder that the environment variable {@code
 * PEFT4J_MODELS} names. A test that asks for one is skipped, and says why, where there is none.
 */
public final class RealModels {
  private RealModels() {}

  /** The folder of SmolLM2-135M-Instruct and its reference values. */
  public static Path smolLm2() {
    String models = System.getenv("PEFT4J_MODELS");
    assumeTrue(models != null, "PEFT4J_MODELS is not set: no real model to test with");
    Path folder = Path.of(models, "smollm2-135m-instruct");
    assumeTrue(Files.isDirectory(folder), "not tested: there is no " + folder);
    return folder;
  }

  /** Its weights. */
  public static Path smolLm2Weights() {
    return smolLm2().resolve("SmolLM2-135M-Instruct.Q4_1.gguf");
  }
}
