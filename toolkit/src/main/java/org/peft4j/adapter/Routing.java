package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import org.peft4j.reparam.Arrow;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Puts trained LoRAs together into an {@link Arrow}. */
final class Routing {
  private final PeftModel model;
  private final List<String> experts;
  private final List<String> paths;

  Routing(PeftModel model, List<String> experts) {
    this.model = model;
    this.experts = experts;
    if (experts.isEmpty()) {
      throw new IllegalArgumentException("route\nexpected: names of LoRAs\nfound: none");
    }
    this.paths = modules(experts.get(0));
    for (String expert : experts) {
      if (!modules(expert).equals(paths)) {
        throw new IllegalArgumentException(
            "route: LoRAs of the same modules only\nexpected: "
                + paths
                + ", as '"
                + experts.get(0)
                + "' has\nfound: "
                + modules(expert)
                + " of '"
                + expert
                + "'");
      }
    }
  }

  private List<String> modules(String expert) {
    List<String> out = new ArrayList<>();
    for (PlainLora.Module m : PlainLora.of(model, expert).modules()) {
      if (m.whole()) {
        throw new IllegalArgumentException(
            "route: LoRAs without whole modules only\nfound: '"
                + expert
                + "' trains "
                + m.path()
                + " as a whole, of which tokens cannot have several");
      }
      out.add(m.path());
    }
    return out;
  }

  Adapter build(String name, int topK, double temperature) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            List<Map<String, NDArray>> tensors = new ArrayList<>();
            experts.forEach(e -> tensors.add(PlainLora.of(model, e).tensors(temporary)));
            Map<String, List<Integer>> ranks = new LinkedHashMap<>();
            paths.forEach(p -> ranks.put(p, tensors.stream().map(t -> rank(t, p)).toList()));
            Adapter router = empty(name, new Arrow(experts, topK, temperature, ranks));
            router.attachments.values().forEach(a -> fill(a, tensors));
            return router;
          }
        });
  }

  /** 0 where a LoRA does nothing. */
  private static int rank(Map<String, NDArray> lora, String path) {
    NDArray a = lora.get(path + "." + PlainLora.A);
    return a == null ? 0 : (int) a.getShape().get(1);
  }

  private Adapter empty(String name, Arrow arrow) {
    List<String> targets = paths.stream().map(p -> "regex:" + Pattern.quote(p)).toList();
    List<Site> sites = model.sites().stream().filter(s -> paths.contains(s.path())).toList();
    return new AdapterBuilder(model.blueprint(), model.manager())
        .build(name, arrow, Placement.DEFAULT.withTargets(targets), sites, 0);
  }

  private static void fill(Attachment at, List<Map<String, NDArray>> loras) {
    String path = at.site().path();
    NDList down = new NDList();
    NDList up = new NDList();
    NDList prototypes = new NDList();
    for (Map<String, NDArray> lora : loras) {
      NDArray a = lora.get(path + "." + PlainLora.A);
      NDArray b = lora.get(path + "." + PlainLora.B);
      if (a == null || b == null) {
        prototypes.add(tensor(at, Arrow.P).get(":1").zerosLike());
      } else {
        down.add(a.transpose());
        up.add(b.transpose());
        prototypes.add(Arrow.prototype(a.transpose(), b.transpose()));
      }
    }
    copy(down, 0, tensor(at, Arrow.A));
    copy(up, 1, tensor(at, Arrow.B));
    copy(prototypes, 0, tensor(at, Arrow.P));
  }

  private static NDArray tensor(Attachment at, String name) {
    return Objects.requireNonNull(at.tensors().get(name)).parameter().getArray();
  }

  private static void copy(NDList parts, int axis, NDArray to) {
    if (!parts.isEmpty()) {
      Buffers.copy(NDArrays.concat(parts, axis), to);
    }
  }
}
