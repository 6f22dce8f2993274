package org.peft4j.text.jinja;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The one value whose attributes a template may set: {@code namespace(found=false)}. */
record Namespace(Map<Object, Object> attributes) implements Members.Attributes {
  @Override
  public @Nullable Object attribute(String name) {
    return attributes.containsKey(name) ? attributes.get(name) : Undefined.attribute(this, name);
  }

  @Override
  public boolean equals(Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }
}
