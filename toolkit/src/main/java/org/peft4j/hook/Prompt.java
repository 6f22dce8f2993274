package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.Map;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Context;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Hook;

/**
 * A method whose virtual tokens stand in front of the token embeddings of every text. Its file has
 * their vectors; for a model of two stacks Hugging Face keeps k vectors each and uses the first k.
 */
interface Prompt extends Hook {
  /** What files call the vectors. */
  String EMBEDDINGS = Virtual.EMBEDDINGS;

  /** k, the number of virtual tokens. */
  int tokens();

  /** The vectors {@code [k, hidden]} that a file has. */
  NDArray vectors(View view);

  @Override
  default int promptTokens() {
    return tokens();
  }

  @Override
  default NDArray embeddings(View view, Context context, NDArray x) {
    return Virtual.forEach(x, vectors(view)).concat(x, 1);
  }

  @Override
  default Shape filedShape(Anatomy model, Declaration.Entry entry) {
    return new Shape((long) tokens() * model.stacks(), model.hidden());
  }

  @Override
  default NDArray stored(View view, String tensor) {
    NDArray own = vectors(view);
    return view.model().stacks() == 1 ? own : own.concat(own, 0);
  }

  @Override
  default NDArray restored(Anatomy model, Declaration.Entry entry, NDArray filed) {
    return filed.getShape().get(0) == tokens() ? filed : filed.get(":{}", tokens());
  }

  @Override
  default Map<String, Object> sizes(Anatomy model) {
    return Virtual.sizes(model, model.hidden(), model.heads());
  }
}
