package org.peft4j.adapter;

import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.peft4j.hook.Hooks;
import org.peft4j.reparam.Reparams;
import org.peft4j.spi.Method;

/**
 * Every method, on weights and on what flows: what the loader, the command line and {@code peft
 * methods} know.
 */
public final class Methods {
  private static final List<Method> ALL =
      Stream.concat(Reparams.all().stream(), Hooks.all().stream()).toList();

  private Methods() {}

  /** Whether Hugging Face PEFT has this type and reads what is saved as it. */
  public static boolean isHuggingFaces(String peftType) {
    return HuggingFaceTypes.has(peftType);
  }

  public static List<Method> all() {
    return ALL;
  }

  /** The method that users type so; an error that lists the known ones if there is none. */
  public static Method byName(String name) {
    return find("method", name, Method::name);
  }

  /**
   * The method whose {@code peft_type} this is; an error that lists the known ones if there is
   * none.
   */
  public static Method byPeftType(String peftType) {
    String why = HuggingFaceTypes.why(peftType);
    if (why != null) {
      throw new IllegalArgumentException(
          "peft_type " + peftType + " is not here: " + why.replace(": use", "\nfix: use"));
    }
    return find("peft_type", peftType, m -> m.standard().peftType());
  }

  private static Method find(String what, String value, Function<Method, String> key) {
    for (Method m : ALL) {
      if (key.apply(m).equals(value)) {
        return m;
      }
    }
    throw new IllegalArgumentException(
        what + "\nexpected: one of " + ALL.stream().map(key).toList() + "\nfound: " + value);
  }
}
