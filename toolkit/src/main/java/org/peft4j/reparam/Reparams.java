package org.peft4j.reparam;

import java.util.List;
import org.peft4j.spi.Method;

/** Every reparameterisation, one line each. Being listed here puts it under the contract suite. */
public final class Reparams {
  private static final List<Method> ALL =
      List.of(
          new Method(new Lora(), Lora::fromConfig),
          new Method(new AdaLora(), AdaLora::fromConfig),
          new Method(new Vera(), Vera::fromConfig),
          new Method(new Full(), Full::fromConfig));

  private Reparams() {}

  public static List<Method> all() {
    return ALL;
  }
}
