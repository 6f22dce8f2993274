package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.model.Positions;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.spi.At;
import org.peft4j.spi.Hook;
import org.peft4j.spi.OwnTokens;
import org.peft4j.spi.Reparam;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * What a training loop asks of the active adapters' methods in every step: their terms of the loss,
 * their learning rates, and to act once an update is done. Tensors have the names of {@link
 * PeftModel#trainable}, steps count from 1.
 */
public final class Learning {
  private final PeftModel model;

  Learning(PeftModel model) {
    this.model = model;
  }

  /**
   * The methods' own terms of the training loss, or null. To be called once per step, inside of the
   * step's scope.
   */
  public @Nullable NDArray penalty(ParameterStore store, NDManager owner) {
    NDArray sum = null;
    for (Adapter a : model.active().adapters()) {
      AdapterPass pass = model.pass(store, true, model.step(), owner);
      NDArray p = a.reparam.penalty(a.all(pass, pass.below()));
      sum = p == null ? sum : sum == null ? p : sum.add(p);
    }
    return sum;
  }

  /**
   * What an active adapter has beside the model's layers, as a block: ShadowPEFT's smaller stack
   * under the model's head. It shares all of its tensors with the model and lives as long.
   *
   * @throws IllegalStateException when it is run while no active adapter has such a network
   */
  public Block detached() {
    return new AbstractBlock((byte) 1) {
      @Override
      protected NDList forwardInternal(
          ParameterStore store,
          NDList inputs,
          boolean training,
          @Nullable PairList<String, Object> params) {
        NDManager owner = inputs.head().getManager();
        return model.base().forward(model.beside(store, training, owner), inputs, training, params);
      }

      @Override
      public Shape[] getOutputShapes(Shape[] inputs) {
        return model.base().getOutputShapes(inputs);
      }
    };
  }

  /**
   * Weight of the loss that {@link #detached} adds to the training loss; 0 for none. Only language
   * models and classifiers of texts have one.
   */
  public double auxiliaryLossWeight() {
    Task task = model.base() instanceof Pretrained p ? p.task() : Task.FEATURES;
    return task == Task.CAUSAL_LM || task == Task.SEQUENCE_CLASSIFICATION
        ? model.active().hooks().stream()
            .mapToDouble(a -> Objects.requireNonNull(a.hook()).auxiliaryLossWeight())
            .sum()
        : 0;
  }

  /** How many tokens of their own the methods learn beside those of every text. */
  public int ownTokens() {
    return readers().stream().mapToInt(a -> own(a).learned().length).sum();
  }

  /**
   * The sum of the losses of {@link #ownTokens}, in front of one text. To be called inside of the
   * step's scope, where there are some.
   */
  public NDArray ownLoss(ParameterStore store, NDManager owner) {
    NDArray sum = null;
    for (Adapter a : readers()) {
      NDArray loss = loss(a, store, owner);
      sum = sum == null ? loss : sum.add(loss);
    }
    if (sum == null) {
      throw new IllegalStateException("no active method has tokens to learn");
    }
    return sum;
  }

  private List<Adapter> readers() {
    boolean causal = model.base() instanceof Pretrained p && p.task() == Task.CAUSAL_LM;
    return model.active().hooks().stream()
        .filter(
            a ->
                causal
                    && Objects.requireNonNull(a.hook()).ownTokens() != null
                    && own(a).learned().length > 0)
        .toList();
  }

  private static OwnTokens own(Adapter a) {
    return Objects.requireNonNull(Objects.requireNonNull(a.hook()).ownTokens());
  }

  private NDArray loss(Adapter a, ParameterStore store, NDManager owner) {
    OwnTokens own = own(a);
    long[] ids = own.ids().stream().mapToLong(Integer::longValue).toArray();
    int[] learned = own.learned();
    Shape n = new Shape(learned.length);
    NDArray at = Buffers.create(owner, Arrays.stream(learned).mapToLong(i -> i - 1).toArray(), n);
    NDArray targets =
        Buffers.create(owner, Arrays.stream(learned).mapToLong(i -> ids[i]).toArray(), n);
    NDArray weights =
        Buffers.create(owner, Arrays.stream(learned).mapToDouble(own.weights()::get).toArray(), n);
    NDArray text = Buffers.create(owner, ids, new Shape(1, ids.length));
    NDArray logits =
        model
            .base()
            .forward(
                model.reading(a, store, owner),
                new NDList(text, text.onesLike()),
                true,
                Positions.of(at))
            .get(0);
    NDArray scores = logits.getShape().dimension() == 3 ? Positions.rows(logits, at) : logits;
    return CrossEntropy.sum(scores, targets, weights.toType(scores.getDataType(), false));
  }

  /** What methods multiply this update's learning rates by, from the gradients there are. */
  public Map<String, Double> rates() {
    Map<String, Double> out = new LinkedHashMap<>();
    for (Adapter a : model.active().adapters()) {
      a.learningRates().forEach((n, rate) -> out.put(a.name + ":" + n, rate));
      if (a.reparam.scheduled()) {
        resting(a).forEach(n -> out.put(a.name + ":" + n, 0.0));
      }
    }
    return out;
  }

  private List<String> resting(Adapter a) {
    List<String> out = new ArrayList<>();
    try (Scope scope = Scope.open();
        NDManager temporary = model.manager().newSubManager()) {
      AdapterPass pass = pass(a, model.step(), temporary);
      for (Attachment here : a.adapted()) {
        Reparam method = Objects.requireNonNull(here.reparam());
        At at = a.at(here, pass, pass.below());
        here.tensors().values().stream()
            .filter(t -> t.trained() && method.rests(at, t.entry().name()))
            .forEach(t -> out.add(here.name(t.entry().name())));
      }
    }
    return out;
  }

  private AdapterPass pass(Adapter a, long step, NDManager temporary) {
    ParameterStore store = new ParameterStore(temporary, false);
    return new AdapterPass(
        store, false, model.active(), Seed.of(a.seed).at("step").at(step), temporary);
  }

  /**
   * What the learning rate of a tensor that {@link #rates} does not name is multiplied by.
   *
   * @param total number of steps of the run
   */
  public double rateScale(String trainable, long step, long total) {
    Adapter.Owned owned = owned(trainable);
    Reparam method = owned.method();
    return method.learningRateScale(owned.tensor()) * method.learningRateFactor(step, total);
  }

  /**
   * Lets the methods act after an update, such as a rank schedule.
   *
   * @param total number of steps of the run
   */
  public void afterStep(long step, long total) {
    try (Scope scope = Scope.open();
        NDManager temporary = model.manager().newSubManager()) {
      for (Adapter a : model.active().adapters()) {
        AdapterPass pass = pass(a, step, temporary);
        Torch.inference(
            () -> {
              a.reparam.afterStep(a.all(pass, pass.below()), step, total);
              Hook hook = a.hook();
              if (hook != null) {
                hook.afterStep(a.view(pass, pass.below()), step, total);
              }
              return a;
            });
        a.scheduleRan = true;
      }
    }
  }

  /**
   * Share of a tensor's moments, the smallest ones, that the optimizer is to forget after {@link
   * #afterStep}; mostly 0.
   */
  public double droppedMoments(String trainable, long step, long total) {
    return owned(trainable).method().droppedMoments(step, total);
  }

  private Adapter.Owned owned(String trainable) {
    String[] parts = trainable.split(":", 2);
    return model.adapter(parts[0]).owned(parts[1]);
  }
}
