package org.peft4j.reparam;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** What {@code adapter_config.json} calls a component of a {@link Keyed} record. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
@interface Key {
  String value();

  /**
   * For a map from module names to values: the entry whose value it replaces there, as {@code
   * rank_pattern} does with {@code r}.
   */
  String replaces() default "";
}
