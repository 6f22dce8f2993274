package org.peft4j.export;

import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.util.PairList;
import java.util.List;
import org.peft4j.model.Network;
import org.peft4j.onnx.Input;

/** The encoder of a model that has a decoder too. */
final class EncoderPart extends Part {
  private final int vocabulary;

  EncoderPart(Block model, int vocabulary) {
    super(model);
    this.vocabulary = vocabulary;
  }

  @Override
  String file() {
    return "encoder_model";
  }

  @Override
  List<Input> inputs() {
    return List.of(
        Input.ids("input_ids", vocabulary, CacheNames.BATCH, DecoderPart.SOURCE),
        Input.mask("attention_mask", CacheNames.BATCH, DecoderPart.SOURCE));
  }

  @Override
  List<String> outputs() {
    return List.of("last_hidden_state");
  }

  @Override
  List<Case> cases() {
    return List.of(
        Case.of("", false, CacheNames.BATCH, 1, DecoderPart.SOURCE, 1),
        Case.of("", false, CacheNames.BATCH, 3, DecoderPart.SOURCE, 13),
        Case.of("left padding", true, CacheNames.BATCH, 3, DecoderPart.SOURCE, 13));
  }

  @Override
  NDList compute(Call call) {
    PairList<String, Object> wishes = new PairList<>();
    wishes.add(Network.SOURCE_ONLY, true);
    return call.run(call.in(), wishes);
  }
}
