package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Mirror;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** The smaller model that an active adapter has beside the model, as a model of its own. */
final class Detachment {
  private final PeftModel model;
  private final Pretrained base;

  Detachment(PeftModel model, Pretrained base) {
    this.model = model;
    this.base = base;
  }

  Pretrained make() {
    for (Adapter a : model.active().hooks()) {
      Hook hook = Objects.requireNonNull(a.hook());
      Mirror.Size size = hook.mirror();
      if (size != null) {
        return make(a, hook, size);
      }
    }
    throw new IllegalStateException(
        "nothing to detach\nexpected: an active adapter with a smaller model beside this one, such"
            + " as shadow\nfound: "
            + model.activeAdapters());
  }

  private Pretrained make(Adapter adapter, Hook hook, Mirror.Size size) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            AdapterPass pass =
                model.pass(new ParameterStore(temporary, false), false, 0, temporary);
            return base.mirrored(
                size, new Found(model, pass, hook, adapter.view(pass, pass.below())));
          }
        });
  }

  /** The adapter's tensors, and what the model's modules are with what is active. */
  private record Found(PeftModel model, AdapterPass pass, Hook hook, Hook.View view)
      implements Mirror.Values {
    @Override
    public @Nullable NDArray ofMirror(String tensor) {
      return hook.mirrored(view, tensor);
    }

    @Override
    public @Nullable NDArray projection() {
      return hook.projection(view);
    }

    @Override
    public @Nullable NDArray ofModel(String path) {
      for (Site site : model.sites()) {
        boolean weight = path.equals(site.path() + ".weight");
        if (weight || path.equals(site.path() + ".bias")) {
          Weight head = hook.detachedHead(view, site);
          Weight is = head == null ? pass.effective(site.frozen()) : head;
          return weight ? is.weight() : is.bias();
        }
      }
      return null;
    }
  }
}
