package org.peft4j;

import ai.djl.nn.Block;
import java.nio.file.Path;
import java.util.List;
import org.peft4j.adapter.PeftModel;
import org.peft4j.export.AdapterExport;
import org.peft4j.export.BlockExport;
import org.peft4j.export.Exported;
import org.peft4j.export.Exporter;
import org.peft4j.export.OnnxModel;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.OnnxAdapter;
import org.peft4j.onnx.OnnxSession;

/** ONNX: models written as graphs, and graphs run in ONNX Runtime. */
public final class Onnx {
  private Onnx() {}

  /** What writes a model as ONNX, with its options. */
  public static Exporter of(Pretrained model) {
    return Exporter.of(model);
  }

  /**
   * What writes an adapted model as ONNX, with its options: the active adapters are merged now, or
   * become part of the graph where they act on what flows through the model.
   */
  public static Exporter of(Tuned model) {
    return model.isMergeable() ? Exporter.of(model.merge()) : Exporter.of((PeftModel) model);
  }

  /**
   * Writes a model as an ONNX graph with open batch and sequence sizes, weights named as Hugging
   * Face names them; a causal language model takes and gives the keys and values of earlier tokens.
   * The file appears once it has been run and computes what the model does, or not at all.
   */
  public static Exported export(Pretrained model, Path file) {
    return of(model).write(file);
  }

  /**
   * Merges the active adapters and writes the result, see {@link #export(Pretrained, Path)}.
   * Adapters that act on what flows through the model become part of the graph.
   */
  public static Exported export(Tuned model, Path file) {
    return of(model).write(file);
  }

  /**
   * What writes the base of a model as one graph with places for adapters, which are chosen for
   * each run:
   *
   * <pre>{@code
   * Onnx.withAdapters(tuned).write(Path.of("base.onnx"));
   * Onnx.adapter(tuned, "default", Path.of("mine.onnx_adapter"));
   * OnnxSession session = Onnx.session(Path.of("base.onnx"));
   * session.adapter("mine", Path.of("mine.onnx_adapter")).use("mine").run(manager, inputs);
   * }</pre>
   *
   * Without one it computes what the base does. Other adapters fit if they act in some of the same
   * modules, whatever their rank and scale.
   *
   * @param names adapters whose modules get places; none for all adapters of the model
   * @throws IllegalArgumentException when one of them is no plain LoRA of linear modules
   */
  public static Exporter withAdapters(Tuned model, String... names) {
    List<String> some = names.length == 0 ? model.adapters() : List.of(names);
    return Exporter.withPlaces(model, some);
  }

  /**
   * Writes an adapter for {@link #withAdapters graphs with places}, as an {@code .onnx_adapter}
   * file with the scale in B. The file appears whole or not at all.
   *
   * @throws IllegalArgumentException when it is no plain LoRA of linear modules
   */
  public static OnnxAdapter adapter(Tuned model, String name, Path file) {
    return AdapterExport.write(model, name, file);
  }

  /**
   * Writes any DJL block that the tracer can record; the inputs are named and shaped by the caller,
   * in the order of the block's.
   */
  public static Exported export(Block block, Path file, Input... inputs) {
    return BlockExport.write(
        block instanceof Tuned tuned && tuned.isMergeable() ? tuned.merge() : block, file, inputs);
  }

  /** Loads a language model that was written with its cache, to write texts with. */
  public static OnnxModel model(Path path) {
    return OnnxModel.load(path);
  }

  /** Loads a graph into ONNX Runtime. */
  public static OnnxSession session(Path file) {
    return OnnxSession.load(file);
  }
}
