package org.peft4j.hook;

import java.util.List;
import org.peft4j.spi.Method;

/** Every hook, one line each. Being listed here puts it under the contract suite of hooks. */
public final class Hooks {
  private static final List<Method> ALL =
      List.of(
          new Method(new PromptTuning(), PromptTuning::fromConfig),
          new Method(new MultitaskPromptTuning(), MultitaskPromptTuning::fromConfig),
          new Method(new Cpt(), Cpt::fromConfig),
          new Method(new PTuning(), PTuning::fromConfig),
          new Method(new PrefixTuning(), PrefixTuning::fromConfig),
          new Method(new Cartridge(), Cartridge::fromConfig),
          new Method(new AdaptionPrompt(), AdaptionPrompt::fromConfig),
          new Method(new Shadow(), Shadow::fromConfig),
          new Method(new Pfeiffer(), Pfeiffer::fromConfig));

  private Hooks() {}

  public static List<Method> all() {
    return ALL;
  }
}
