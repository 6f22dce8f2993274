package org.peft4j.export;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.peft4j.model.Network;
import org.peft4j.nn.ArrayCache;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.Counted;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.onnx.Sample;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.KeysValues;

/**
 * A causal language model with its cache: {@code input_ids}, {@code attention_mask} over all tokens
 * so far, {@code position_ids} and {@code past_key_values.*} give {@code logits} and {@code
 * present.*}. The same graph reads a prompt (past 0) and each token after it.
 */
final class CausalPart extends Part {
  private final Anatomy sizes;
  private final int vocabulary;
  private final Profile profile;

  CausalPart(Block model, Anatomy sizes, int vocabulary, Profile profile) {
    super(model);
    this.sizes = sizes;
    this.vocabulary = vocabulary;
    this.profile = profile;
  }

  @Override
  String file() {
    return "model";
  }

  @Override
  List<Input> inputs() {
    List<Input> all = new ArrayList<>();
    all.add(Input.ids("input_ids", vocabulary, CacheNames.BATCH, CacheNames.LENGTH));
    all.add(
        Input.mask("attention_mask", CacheNames.BATCH, CacheNames.TOTAL)
            .sampled(Sample.leftMask()));
    all.add(
        Input.ids("position_ids", 1, CacheNames.BATCH, CacheNames.LENGTH)
            .sampled(Sample.positions(CacheNames.PAST)));
    for (String name : CacheNames.of("past_key_values", sizes.layers())) {
      all.add(CacheNames.input(name, sizes, CacheNames.PAST));
    }
    return all;
  }

  @Override
  List<String> outputs() {
    List<String> names = new ArrayList<>(List.of("logits"));
    names.addAll(CacheNames.of("present", sizes.layers()));
    return names;
  }

  @Override
  List<Case> cases() {
    String batch = CacheNames.BATCH;
    String length = CacheNames.LENGTH;
    String past = CacheNames.PAST;
    // ONNX Runtime's operator takes several tokens behind earlier ones of a single text only
    int several = profile == Profile.ORT ? 1 : 2;
    return List.of(
        Case.of("", false, batch, 1, length, 1, past, 0),
        Case.of("", false, batch, 1, length, 13, past, 0),
        Case.of("", false, batch, 3, length, 7, past, 0),
        Case.of("left padding", true, batch, 3, length, 7, past, 0),
        Case.of("", false, batch, 1, length, 1, past, 17),
        Case.of("left padding", true, batch, 3, length, 1, past, 9),
        Case.of("", false, batch, several, length, 3, past, 8));
  }

  @Override
  List<Input> checked(boolean left) {
    OwnPast past = new OwnPast(this);
    return super.checked(left).stream()
        .map(i -> i.name().startsWith("past_") ? i.sampled(past.of(i.name())) : i)
        .toList();
  }

  /** Logits and new keys at padding are nobody's business. */
  @Override
  Counted counted() {
    return (output, inputs) -> {
      NDArray mask =
          Objects.requireNonNull(inputs.get("attention_mask")).toType(DataType.FLOAT32, false);
      long rows = Objects.requireNonNull(inputs.get("input_ids")).getShape().get(1);
      long all = mask.getShape().get(1);
      return output.equals("logits")
          ? mask.get(":, {}:", all - rows).expandDims(2)
          : mask.reshape(mask.getShape().get(0), 1, all, 1);
    };
  }

  /** A text read token by token gives what it gives read at once. */
  @Override
  Comparison more(OnnxSession session, double tolerance) {
    return new StepByStep(this, session).compare(tolerance);
  }

  Anatomy sizes() {
    return sizes;
  }

  @Override
  NDList compute(Call call) {
    NDList in = call.in();
    ArrayCache cache = new ArrayCache(call.manager(), pairs(in, 3, 1), List.of());
    PairList<String, Object> wishes = new PairList<>();
    wishes.add(Network.CACHE, cache);
    NDArray positions = named("position_ids", in.get(2));
    NDList out = new NDList(call.run(new NDList(in.get(0), in.get(1), positions), wishes).head());
    cache.present().forEach(kv -> out.addAll(new NDList(kv.keys(), kv.values())));
    return out;
  }

  /**
   * Keys and values in a list of arrays.
   *
   * @param step 1 where every pair counts, 2 for every other
   */
  static List<KeysValues> pairs(NDList in, int from, int step) {
    List<KeysValues> pairs = new ArrayList<>();
    for (int i = from; i + 1 < in.size(); i += 2 * step) {
      pairs.add(new KeysValues(in.get(i), in.get(i + 1)));
    }
    return pairs;
  }
}
