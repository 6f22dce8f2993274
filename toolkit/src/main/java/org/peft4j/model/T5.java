package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Sequence;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Pass;

/**
 * T5 (Raffel et al., arXiv 1910.10683) as {@code transformers} computes it: an encoder, and a
 * decoder that attends to the encoder's output, over shared token embeddings. Its encoder is a
 * model of its own too.
 */
final class T5 extends Body {
  static final String ENCODER_CLASS = "EncoderModel";

  static Architecture architecture(String modelType) {
    List<String> inputs =
        List.of("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask");
    return new Architecture(
            modelType, "", inputs, List.of("q", "v"), (config, pooled) -> new T5(config, true))
        .dropouts("dropout_rate");
  }

  static Architecture encoderAlone(String modelType) {
    List<String> inputs = List.of("input_ids", "attention_mask");
    return new Architecture(
            modelType, "", inputs, List.of("q", "v"), (config, pooled) -> new T5(config, false))
        .dropouts("dropout_rate")
        .onlyFor(ENCODER_CLASS);
  }

  private final T5Sizes sizes;
  private final Embedding words;
  private final T5Stack encoder;
  private final @Nullable T5Stack decoder;

  private T5(Config config, boolean decodes) {
    sizes = T5Sizes.of(config);
    int layers = config.size("num_layers", "num_hidden_layers");
    words =
        addChildBlock("shared", new Embedding(config.size("vocab_size"), sizes.hidden(), "embed"));
    encoder = addChildBlock("encoder", T5Stack.encoder(sizes, layers));
    decoder =
        decodes
            ? addChildBlock(
                "decoder",
                T5Stack.decoder(sizes, config.sizeOr(layers, "num_decoder_layers"), layers))
            : null;
  }

  @Override
  public NDArray encode(Pass pass, Inputs in) {
    Sequence source = Sequence.encoder(pass, in.ids(), in.mask());
    if (decoder == null) {
      return encoded(pass, in, source);
    }
    NDArray ids = in.require("decoder_input_ids");
    Sequence target = Sequence.decoder(pass, ids, in.get("decoder_attention_mask"), in.cache());
    NDArray given = in.get(Inputs.ENCODED);
    NDArray states = given == null && target.context().start() ? encoded(pass, in, source) : given;
    T5Stack.Memory memory = new T5Stack.Memory(states, source.paddingBias());
    return decoder.apply(pass, target, words.apply(pass, ids), memory);
  }

  @Override
  NDArray source(Pass pass, Inputs in) {
    return encoded(pass, in, Sequence.encoder(pass, in.ids(), in.mask()));
  }

  private NDArray encoded(Pass pass, Inputs in, Sequence source) {
    NDArray x = pass.embeddings(source.context(), words.apply(pass, in.ids()));
    return encoder.apply(pass, source, x, null);
  }

  @Override
  NDArray own(Pass pass, Inputs in, NDArray hidden) {
    return decoder == null ? super.own(pass, in, hidden) : hidden; // virtual tokens are encoded
  }

  @Override
  public int hiddenSize() {
    return sizes.hidden();
  }

  @Override
  public Frozen embeddings() {
    return words.frozen();
  }

  @Override
  public Anatomy anatomy() {
    List<String> paths = new ArrayList<>(encoder.paths());
    int layers = encoder.paths().size();
    if (decoder != null) {
      paths.addAll(decoder.paths());
      layers = decoder.paths().size();
    }
    return new Anatomy(
        sizes.hidden(),
        layers,
        sizes.heads(),
        sizes.heads(),
        sizes.headSize(),
        decoder == null ? 1 : 2,
        words.frozen(),
        paths);
  }
}
