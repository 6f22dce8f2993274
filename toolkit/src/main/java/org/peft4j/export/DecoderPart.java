package org.peft4j.export;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;
import org.peft4j.model.Inputs;
import org.peft4j.model.Network;
import org.peft4j.nn.ArrayCache;
import org.peft4j.onnx.Input;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.KeysValues;

/**
 * The decoder behind an encoder. Its first step reads {@code encoder_hidden_states} and gives the
 * keys and values of both sides; a later one reads those and gives its own side's.
 */
final class DecoderPart extends Part {
  static final String SOURCE = "encoder_sequence_length";
  private static final String LENGTH = "decoder_sequence_length";
  private static final String PAST = "past_decoder_sequence_length";

  private final Anatomy sizes;
  private final int vocabulary;
  private final boolean continues;
  private final Profile profile;

  /**
   * A decoder's graph.
   *
   * @param continues whether earlier tokens have been read
   */
  DecoderPart(Block model, Anatomy sizes, int vocabulary, boolean continues, Profile profile) {
    super(model);
    this.sizes = sizes;
    this.vocabulary = vocabulary;
    this.continues = continues;
    this.profile = profile;
  }

  @Override
  String file() {
    return continues ? "decoder_with_past_model" : "decoder_model";
  }

  @Override
  List<Input> inputs() {
    List<Input> all = new ArrayList<>();
    all.add(Input.mask("encoder_attention_mask", CacheNames.BATCH, SOURCE));
    all.add(Input.ids("input_ids", vocabulary, CacheNames.BATCH, LENGTH));
    if (!continues) {
      all.add(Input.floats(Inputs.ENCODED, CacheNames.BATCH, SOURCE, sizes.hidden()));
      return all;
    }
    for (String name : CacheNames.of("past_key_values", sizes.layers(), "decoder", "encoder")) {
      all.add(CacheNames.input(name, sizes, name.contains(".encoder.") ? SOURCE : PAST));
    }
    return all;
  }

  @Override
  List<String> outputs() {
    List<String> names = new ArrayList<>(List.of("logits"));
    names.addAll(
        continues
            ? CacheNames.of("present", sizes.layers(), "decoder")
            : CacheNames.of("present", sizes.layers(), "decoder", "encoder"));
    return names;
  }

  @Override
  List<Case> cases() {
    // ONNX Runtime's operator takes several tokens behind earlier ones of a single text only
    int several = profile == Profile.ORT ? 1 : 4;
    return continues
        ? List.of(
            Case.of("", false, CacheNames.BATCH, 1, SOURCE, 1, LENGTH, 1, PAST, 1),
            Case.of("", false, CacheNames.BATCH, 3, SOURCE, 13, LENGTH, 1, PAST, 17),
            Case.of(
                "left padding", true, CacheNames.BATCH, 3, SOURCE, 13, LENGTH, several, PAST, 9))
        : List.of(
            Case.of("", false, CacheNames.BATCH, 1, SOURCE, 1, LENGTH, 1),
            Case.of("", false, CacheNames.BATCH, 3, SOURCE, 13, LENGTH, 1),
            Case.of("left padding", true, CacheNames.BATCH, 3, SOURCE, 13, LENGTH, 11));
  }

  @Override
  NDList compute(Call call) {
    NDList in = call.in();
    NDArray mask = in.get(0);
    ArrayCache cache =
        continues
            ? new ArrayCache(call.manager(), CausalPart.pairs(in, 2, 2), CausalPart.pairs(in, 4, 2))
            : new ArrayCache(call.manager(), List.of(), List.of());
    PairList<String, Object> wishes = new PairList<>();
    wishes.add(Network.CACHE, cache);
    // the mask stands for the source's tokens: they are encoded already, only their number counts
    NDList given = new NDList(mask, mask, named("decoder_input_ids", in.get(1)));
    if (!continues) {
      given.add(named(Inputs.ENCODED, in.get(2)));
    }
    NDList out = new NDList(call.run(given, wishes).head());
    for (int i = 0; i < sizes.layers(); i++) {
      add(out, cache.present().get(i));
      if (!continues) {
        add(out, cache.made().get(i));
      }
    }
    return out;
  }

  private static void add(NDList out, KeysValues kv) {
    out.add(kv.keys());
    out.add(kv.values());
  }
}
