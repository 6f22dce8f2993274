package org.peft4j.train;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.PeftModel;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * One run: batches, loss, gradients, update, and what goes around it. Every update runs in a scope
 * and a sub-manager of its own. What happens in update n is a function of the weights, the settings
 * and n, so a run resumed from a checkpoint goes on to the bit.
 */
final class Loop {
  private final PeftModel model;
  private final Objective objective;
  private final @Nullable Objective validation;
  private final Settings settings;
  private final long batchesPerEpoch;
  private final long total;
  private final List<RunListener.Step> steps = new ArrayList<>();
  private final List<RunListener.Evaluation> evaluations = new ArrayList<>();
  private final Map<String, NDArray> best = new LinkedHashMap<>();
  private long bestStep;
  private int withoutImprovement;
  private double secondsBefore;
  private long startedAt;

  Loop(PeftModel model, Objective objective, @Nullable Objective validation, Settings settings) {
    if (objective.rows() == 0) {
      throw new IllegalArgumentException("the training data is empty");
    }
    if (model.trainable().isEmpty()) {
      throw new IllegalStateException(
          "nothing is trainable\nfix: make an adapter active with use(\"name\")");
    }
    if (model.isMerged()) {
      throw new IllegalStateException(
          "the adapters are merged in place\nfix: unmerge() before training");
    }
    this.model = model;
    this.objective = WithAuxiliaryLoss.of(WithOwnTokens.of(objective, model), model);
    this.validation = validation;
    this.settings = settings;
    long batches = (objective.rows() + settings.batchSize() - 1L) / settings.batchSize();
    batchesPerEpoch = (batches + settings.accumulate() - 1) / settings.accumulate();
    long updates = Math.max(1, Math.round(settings.epochs() * batchesPerEpoch));
    total = settings.maxSteps() > 0 ? Math.min(settings.maxSteps(), updates) : updates;
  }

  Fit run() {
    startedAt = System.nanoTime();
    Fit.Ending ending = Fit.Ending.COMPLETE;
    try (NDManager manager = Torch.newManager();
        AdamW optimizer =
            new AdamW(manager, settings.beta1(), settings.beta2(), settings.epsilon())) {
      long step = resume(optimizer, manager);
      settings.listeners().forEach(l -> l.onBegin(total, settings));
      for (RunListener.Step s : steps) {
        settings.listeners().forEach(l -> l.onStep(s));
      }
      for (RunListener.Evaluation e : evaluations) {
        settings.listeners().forEach(l -> l.onEvaluation(e));
      }
      List<int[]> order = List.of();
      long orderOf = -1;
      while (step < total) {
        long epoch = step / batchesPerEpoch;
        if (orderOf != epoch) {
          order = BatchOrder.of(objective, settings, epoch);
          orderOf = epoch;
        }
        update(step, order, optimizer, manager);
        step++;
        boolean interrupted =
            Thread.interrupted(); // cleared, or it would end the writing of the checkpoint
        if (isTimeToEvaluate(step) && !evaluate(step, manager)) {
          ending = Fit.Ending.NO_IMPROVEMENT;
          break;
        }
        if (settings.checkpoint() != null
            && (step % settings.checkpointEvery() == 0 || step == total || interrupted)) {
          Checkpoint.write(this, optimizer, step);
        }
        if (interrupted) {
          ending = Fit.Ending.INTERRUPTED;
          break;
        }
      }
      if (settings.keepBest() && !best.isEmpty()) {
        Torch.inference(
            () -> {
              parameters()
                  .forEach(
                      (n, p) -> {
                        NDArray a = best.get(n);
                        if (a != null) {
                          Buffers.copy(a, p.getArray());
                        }
                      });
              return model;
            });
      }
    } finally {
      model.trainable().values().forEach(Loop::clearGradient);
    }
    Fit fit = new Fit(steps, evaluations, seconds(), ending, bestStep);
    settings.listeners().forEach(l -> l.onEnd(fit));
    return fit;
  }

  private Map<String, Parameter> parameters() {
    return model.state();
  }

  /** One optimizer update: the batches of step {@code n}, from 0. */
  private void update(long n, List<int[]> order, AdamW optimizer, NDManager manager) {
    int first = (int) (n % batchesPerEpoch) * settings.accumulate();
    List<int[]> batches =
        order.subList(first, Math.min(order.size(), first + settings.accumulate()));
    double weight = batches.stream().mapToDouble(objective::weight).sum();
    Map<String, Parameter> trainable = model.trainable();
    double loss = 0;
    try (Scope scope = Scope.open();
        NDManager step = manager.newSubManager()) {
      for (int i = 0; i < batches.size(); i++) {
        model.atStep(n * settings.accumulate() + i);
        loss += backward(batches.get(i), objective.weight(batches.get(i)) / weight, i == 0, step);
      }
      double factor = settings.schedule().factor(n, Math.round(settings.warmup() * total), total);
      double rate = settings.learningRate() * factor;
      double norm =
          Torch.inference(
              () -> {
                double length = norm(trainable);
                if (!Double.isFinite(length)) {
                  throw new Diverged("step " + (n + 1) + ": the gradients are not finite");
                }
                double clip =
                    settings.clip() > 0 && length > settings.clip()
                        ? settings.clip() / (length + 1e-6)
                        : 1;
                optimizer.begin();
                Map<String, Double> rates = model.learning().rates();
                trainable.forEach(
                    (name, p) -> {
                      Double own = rates.get(name);
                      double scale =
                          own == null ? model.learning().rateScale(name, n + 1, total) : own;
                      apply(name, p, clip, rate * scale, optimizer);
                    });
                return length;
              });
      model.learning().afterStep(n + 1, total);
      trainable
          .keySet()
          .forEach(
              name -> optimizer.prune(name, model.learning().droppedMoments(name, n + 1, total)));
      trainable.values().forEach(Loop::clearGradient);
      double epoch = (double) (n + 1) / batchesPerEpoch;
      RunListener.Step done =
          new RunListener.Step(n + 1, total, epoch, loss, rate, norm, seconds());
      steps.add(done);
      settings.listeners().forEach(l -> l.onStep(done));
    }
  }

  private double backward(int[] rows, double share, boolean penalize, NDManager step) {
    ParameterStore store = new ParameterStore(step, false);
    GradientCollector collector;
    try {
      collector = Engine.getInstance().newGradientCollector();
    } catch (IllegalStateException e) {
      throw new IllegalStateException(
          "another training run is going on in this process\n"
              + "fix: let it end first (DJL collects gradients of one run at a time)",
          e);
    }
    try (collector) {
      NDArray loss = objective.loss(model, store, step, rows, true);
      double value =
          loss.getDataType() == ai.djl.ndarray.types.DataType.FLOAT64
              ? loss.getDouble()
              : loss.getFloat();
      if (!Double.isFinite(value)) {
        throw new Diverged("the loss is " + value);
      }
      NDArray weighed = share == 1 ? loss : Scalars.mul(loss, share);
      NDArray penalty = penalize ? model.learning().penalty(store, step) : null;
      collector.backward(penalty == null ? weighed : weighed.add(penalty));
      return value * share;
    }
  }

  private static double norm(Map<String, Parameter> trainable) {
    double sum = 0;
    for (Parameter p : trainable.values()) {
      double n = p.getArray().getGradient().norm().getFloat();
      sum += n * n;
    }
    return Math.sqrt(sum);
  }

  private void apply(String name, Parameter p, double clip, double rate, AdamW optimizer) {
    NDArray gradient = p.getArray().getGradient();
    if (clip != 1) {
      gradient = gradient.muli(clip);
    }
    Predicate<String> decays = settings.decays();
    boolean decaying = decays == null ? p.getShape().dimension() > 1 : decays.test(name);
    double decay = decaying ? settings.weightDecay() : 0;
    optimizer.update(name, p, gradient, rate, decay);
  }

  private static void clearGradient(Parameter p) {
    if (p.isInitialized() && p.getArray() instanceof PtNDArray a && a.hasGradient()) {
      try (NDArray g = a.getGradient()) {
        if (g.size() > 0) {
          JniUtils.zeroGrad(a);
        }
      }
    }
  }

  private boolean isTimeToEvaluate(long step) {
    if (validation == null) {
      return false;
    }
    long every = settings.evaluateEvery() > 0 ? settings.evaluateEvery() : batchesPerEpoch;
    return step % every == 0 || step == total;
  }

  /** Evaluates; false if it is time to give up. */
  private boolean evaluate(long step, NDManager manager) {
    if (validation == null) {
      return true;
    }
    Metrics metrics = validation.evaluate(model, settings.batchSize() * 2);
    RunListener.Evaluation evaluation =
        new RunListener.Evaluation(step, (double) step / batchesPerEpoch, metrics);
    boolean better = evaluations.stream().noneMatch(e -> !metrics.betterThan(e.metrics()));
    evaluations.add(evaluation);
    if (better) {
      bestStep = step;
      withoutImprovement = 0;
      if (settings.keepBest()) {
        keep(manager);
      }
    } else {
      withoutImprovement++;
    }
    settings.listeners().forEach(l -> l.onEvaluation(evaluation));
    return settings.patience() == 0 || withoutImprovement < settings.patience();
  }

  private void keep(NDManager manager) {
    Torch.inference(
        () -> {
          parameters()
              .forEach(
                  (n, p) -> {
                    NDArray copy = best.get(n);
                    if (copy == null) {
                      best.put(n, Scope.giveTo(manager, Buffers.copyOf(manager, p.getArray())));
                    } else {
                      Buffers.copy(p.getArray(), copy);
                    }
                  });
          return model;
        });
  }

  private double seconds() {
    return secondsBefore + (System.nanoTime() - startedAt) / 1e9;
  }

  private long resume(AdamW optimizer, NDManager manager) {
    if (settings.checkpoint() == null || !java.nio.file.Files.exists(settings.checkpoint())) {
      return 0;
    }
    Checkpoint.State state = Checkpoint.read(this, optimizer, manager);
    steps.addAll(state.steps());
    evaluations.addAll(state.evaluations());
    best.putAll(state.best());
    bestStep = state.bestStep();
    withoutImprovement = state.withoutImprovement();
    secondsBefore = state.seconds();
    startedAt = System.nanoTime();
    return state.step();
  }

  // what a checkpoint writes

  PeftModel model() {
    return model;
  }

  Settings settings() {
    return settings;
  }

  long total() {
    return total;
  }

  int rows() {
    return objective.rows();
  }

  Checkpoint.State state(long step) {
    return new Checkpoint.State(
        step, steps, evaluations, best, bestStep, withoutImprovement, seconds());
  }
}
