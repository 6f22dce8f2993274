package org.peft4j.export;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.peft4j.model.Config;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.GraphExport;
import org.peft4j.onnx.Input;

/** A model as it is, from its inputs to its outputs. */
final class WholePart extends Part {
  private final Config config;
  private final List<String> inputs;
  private final List<String> outputs;

  WholePart(Block block, Pretrained model, Config config) {
    super(block);
    this.config = config;
    inputs =
        model.inputNames().stream()
            .filter(n -> !n.equals("decoder_attention_mask")) // what is written has no gaps
            .filter(n -> !n.equals("token_type_ids") || config.number("type_vocab_size", 1) > 0)
            .toList();
    outputs = model.outputNames();
  }

  @Override
  String file() {
    return "model";
  }

  @Override
  List<Input> inputs() {
    return inputs.stream().map(this::input).toList();
  }

  private Input input(String name) {
    int tokens = config.sizeOr(1, "vocab_size");
    return switch (name) {
      case "input_ids" -> Input.ids(name, tokens, CacheNames.BATCH, CacheNames.LENGTH);
      case "decoder_input_ids" ->
          Input.ids(name, tokens, CacheNames.BATCH, "decoder_" + CacheNames.LENGTH);
      case "token_type_ids" ->
          Input.ids(name, config.sizeOr(1, "type_vocab_size"), CacheNames.BATCH, CacheNames.LENGTH);
      case "pixel_values" -> images(name);
      default -> Input.mask(name, CacheNames.BATCH, CacheNames.LENGTH);
    };
  }

  private Input images(String name) {
    Shape size = config.pair("image_size", 224);
    return Input.floats(
        name,
        CacheNames.BATCH,
        config.sizeOr(3, "num_channels"),
        (int) size.get(0),
        (int) size.get(1));
  }

  @Override
  List<Case> cases() {
    List<Case> all = new ArrayList<>();
    for (Map<String, Long> sizes :
        GraphExport.of(this).inputs(inputs().toArray(Input[]::new)).defaultSizes()) {
      all.add(new Case("", sizes, false));
      boolean padded = sizes.values().stream().allMatch(n -> n > 1);
      if (padded && inputs.contains("attention_mask")) {
        all.add(new Case("left padding", sizes, true));
      }
    }
    return all;
  }

  @Override
  List<String> outputs() {
    return outputs;
  }

  @Override
  NDList compute(Call call) {
    return call.run(call.in(), new PairList<>());
  }
}
