package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import org.peft4j.nn.Embedding;
import org.peft4j.nn.Heads;
import org.peft4j.nn.Layer;
import org.peft4j.nn.Projection;
import org.peft4j.nn.Sequence;
import org.peft4j.spi.KeysValues;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;

/** Attention whose products of queries and keys are not scaled; nothing has a bias. */
final class T5Attention extends Layer {
  private final Heads heads;
  private final Projection query;
  private final Projection key;
  private final Projection value;
  private final Projection attended;

  T5Attention(T5Sizes sizes, Place at) {
    heads = new Heads(at, sizes.heads(), sizes.heads(), sizes.headSize(), sizes.dropout(), 1);
    int hidden = sizes.hidden();
    int inner = sizes.heads() * sizes.headSize();
    query = addChildBlock("q", new Projection(hidden, inner, false, "q"));
    key = addChildBlock("k", new Projection(hidden, inner, false, "k"));
    value = addChildBlock("v", new Projection(hidden, inner, false, "v"));
    attended = addChildBlock("o", new Projection(inner, hidden, false, "o"));
  }

  /** Holds the table of relative positions, where files have it. */
  void addTable(Embedding table) {
    addChildBlock("relative_attention_bias", table);
  }

  /** Of the rows x {@code [B, T, hidden]} to themselves and what came before. */
  NDArray toItself(Pass pass, Sequence sequence, NDArray x, NDArray bias) {
    NDArray q = query.apply(pass, x);
    NDArray k = key.apply(pass, x);
    NDArray v = value.apply(pass, x);
    return attended.apply(pass, heads.attend(pass, sequence, q, k, v, bias));
  }

  /** Of the rows x {@code [B, T, hidden]} to an encoder's output. */
  NDArray to(T5Stack.Memory memory, Pass pass, Sequence sequence, NDArray x) {
    NDArray q = heads.queries(query.apply(pass, x));
    return attended.apply(
        pass,
        heads.attendAcross(
            pass, sequence, q, () -> keysValues(pass, memory.encoded()), memory.bias()));
  }

  private KeysValues keysValues(Pass pass, NDArray x) {
    return new KeysValues(heads.keys(key.apply(pass, x)), heads.keys(value.apply(pass, x)));
  }

  @Override
  protected NDList compute(Pass pass, NDList in) {
    throw new UnsupportedOperationException("attention computes as part of its layer");
  }
}
