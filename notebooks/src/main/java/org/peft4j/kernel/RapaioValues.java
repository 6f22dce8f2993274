package org.peft4j.kernel;

import java.util.List;
import java.util.stream.Stream;
import org.peft4j.notebook.Rendering;
import org.rapaio.jupyter.kernel.display.DisplayData;
import org.rapaio.jupyter.kernel.display.DisplayRenderer;
import org.rapaio.jupyter.kernel.display.DisplayTransformer;
import org.rapaio.jupyter.kernel.display.sequence.DefaultCollectionDisplayRenderer;
import org.rapaio.jupyter.kernel.display.spi.DisplayProvider;

/**
 * Shows the toolkit's values at the end of a cell of rapaio's kernel as {@link Rendering} has them.
 */
public final class RapaioValues implements DisplayProvider {
  @Override
  public List<DisplayRenderer> getDisplayRenderers() {
    return Stream.concat(Rendering.types().stream(), Stream.of(List.class))
        .<DisplayRenderer>map(Values::new)
        .toList();
  }

  @Override
  public List<DisplayTransformer> getDisplayTransformers() {
    return List.of();
  }

  private record Values(Class<?> rendererClass) implements DisplayRenderer {
    private static final DisplayRenderer LISTS = new DefaultCollectionDisplayRenderer();

    @Override
    public boolean canRender(String mime) {
      return true;
    }

    @Override
    public DisplayData render(String mime, Object value) {
      if (!Rendering.isOwn(value)) {
        return LISTS.render(mime, value);
      }
      DisplayData data = DisplayData.fromText(String.valueOf(value));
      Rendering.of(value).encoded().forEach(data::putData);
      return data;
    }
  }
}
