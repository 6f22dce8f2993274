package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/** OSF learns nothing in the directions that it keeps. */
@Tag("fast")
class OsfTest {
  private static final Path BASE = Path.of("src/test/resources/golden/hf/base/llama");

  @Test
  void gradients_are_orthogonal_to_the_kept_directions() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Scope scope = Scope.open();
        Tuned tuned = Peft.osf(model).keep(20).targets("up").apply()) {
      Noise.on(tuned);
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        NDArray ids = manager.create(new long[][] {{4, 9, 11, 3}});
        ParameterStore store = new ParameterStore(manager, false);
        collector.backward(tuned.forward(store, new NDList(ids), true).get(0).square().mean());
      }
      for (Site site : Peft.osf(model).targets("up").sites()) {
        Svd svd =
            Svd.precise(site.frozen().weight(Pass.of(new ParameterStore(manager, false), false)));
        NDArray u = gradient(tuned, site, "U_low");
        NDArray v = gradient(tuned, site, "V_low");
        NDArray keptU = svd.u().get(":, :20");
        NDArray keptV = svd.vh().get(":20");
        assertThat(largest(keptU.transpose().matMul(u))).isLessThan(1e-5f * largest(u));
        assertThat(largest(v.matMul(keptV.transpose()))).isLessThan(1e-5f * largest(v));
        assertThat(largest(u)).isPositive();
        assertThat(largest(v)).isPositive();
      }
    }
  }

  private static NDArray gradient(Tuned tuned, Site site, String tensor) {
    Map<String, Parameter> all = tuned.trainable();
    return all.get("default:" + site.path() + ".osf_svd_params." + tensor).getArray().getGradient();
  }

  private static float largest(NDArray x) {
    return x.abs().max().getFloat();
  }
}
