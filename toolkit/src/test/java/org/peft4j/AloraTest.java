package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.peft4j.Outputs.distance;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Network;
import org.peft4j.model.Pretrained;
import org.peft4j.nn.GrowingCache;
import org.peft4j.tensor.Torch;

/** Where an aLoRA acts: from its tokens on, with a cache as without. */
@Tag("fast")
class AloraTest {
  private static final Path BASE = Path.of("src/test/resources/golden/hf/base/llama");

  /** The first is called at its fourth token, the second not at all. */
  private static final long[][] TEXTS = {
    {5, 7, 9, 7, 8, 20, 21, 22, 30}, {5, 8, 7, 11, 12, 7, 22, 23, 31}
  };

  private static NDArray run(Block model, NDManager manager, long[][] ids, Object... cache) {
    PairList<String, Object> wishes = new PairList<>();
    for (Object c : cache) {
      wishes.add(Network.CACHE, c);
      wishes.add(Network.LAST_ONLY, true);
    }
    return Torch.inference(
        () ->
            model
                .forward(
                    new ParameterStore(manager, false),
                    new NDList(manager.create(ids)),
                    false,
                    wishes)
                .get(0));
  }

  private static long[][] columns(int from, int to) {
    long[][] out = new long[TEXTS.length][];
    for (int r = 0; r < out.length; r++) {
      out[r] = java.util.Arrays.copyOfRange(TEXTS[r], from, to);
    }
    return out;
  }

  private static Tuned tuned(Pretrained model) {
    Tuned tuned = Peft.alora(model, 7, 8).rank(4).targets("all-linear", "head").apply();
    Noise.on(tuned);
    return tuned;
  }

  @Test
  void it_acts_from_the_last_call_on() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = tuned(model)) {
      NDArray plain = run(model, manager, TEXTS);
      NDArray adapted = run(tuned, manager, TEXTS);
      assertThat(distance(adapted.get(":, :3"), plain.get(":, :3"))).isLessThan(1e-5f);
      assertThat(distance(adapted.get("1"), plain.get("1"))).isLessThan(1e-5f);
      for (int token = 3; token < 9; token++) {
        assertThat(distance(adapted.get(0, token), plain.get(0, token)))
            .as("token " + token)
            .isGreaterThan(1e-3f);
      }
    }
  }

  @Test
  void with_a_cache_the_prompt_decides_whatever_rows_become_of_it() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = tuned(model);
        GrowingCache cache = new GrowingCache()) {
      NDArray whole = run(tuned, manager, TEXTS);
      NDArray prompt = run(tuned, manager, columns(0, 6), cache);
      assertThat(distance(prompt.get(":, -1"), whole.get(":, 5"))).isLessThan(1e-5f);
      NDArray next = run(tuned, manager, columns(6, 7), cache);
      assertThat(distance(next.get(":, -1"), whole.get(":, 6"))).isLessThan(1e-5f);
      cache.select(new long[] {1, 0}); // as beams do
      long[][] turned = {columns(7, 9)[1], columns(7, 9)[0]};
      NDArray last = run(tuned, manager, turned, cache);
      assertThat(distance(last.get(0, -1), whole.get(1, 8))).isLessThan(1e-5f);
      assertThat(distance(last.get(1, -1), whole.get(0, 8))).isLessThan(1e-5f);
    }
  }

  @Test
  void it_wants_tokens_and_one_stack() {
    try (Pretrained model = Models.load(BASE);
        Pretrained t5 = Models.load(BASE.resolveSibling("t5"))) {
      assertThatThrownBy(() -> Peft.alora(model))
          .hasMessageContaining("alora_invocation_tokens\nexpected: at least one token");
      assertThatThrownBy(() -> Peft.alora(t5, 7).targets("q").apply())
          .hasMessageContaining("models of one stack");
    }
  }
}
