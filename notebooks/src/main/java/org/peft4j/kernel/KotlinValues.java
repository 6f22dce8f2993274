package org.peft4j.kernel;

import java.util.Map;
import org.jetbrains.kotlinx.jupyter.api.FieldValue;
import org.jetbrains.kotlinx.jupyter.api.RendererHandler;
import org.jetbrains.kotlinx.jupyter.api.ResultHandlerExecution;
import org.jetbrains.kotlinx.jupyter.api.libraries.ExecutionHost;
import org.jspecify.annotations.Nullable;
import org.peft4j.notebook.Rendering;

/** Shows the toolkit's values at the end of a Kotlin cell as {@link Rendering} has them. */
final class KotlinValues implements RendererHandler {
  @Override
  public boolean accepts(@Nullable Object value) {
    return Rendering.isOwn(value);
  }

  @Override
  public ResultHandlerExecution getExecution() {
    return new Execution();
  }

  @Override
  public RendererHandler replaceVariables(Map<String, String> names) {
    return this;
  }

  private record Execution() implements ResultHandlerExecution {
    @Override
    public FieldValue execute(ExecutionHost host, FieldValue value) {
      return new FieldValue(KotlinDisplay.result(Rendering.of(value.getValue()), null), null);
    }

    @Override
    public ResultHandlerExecution replaceVariables(Map<String, String> names) {
      return this;
    }
  }
}
