package org.peft4j.cli;

import com.github.freva.asciitable.AsciiTable;
import com.github.freva.asciitable.Column;
import com.github.freva.asciitable.ColumnData;
import com.github.freva.asciitable.HorizontalAlign;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.Blueprint;
import org.peft4j.adapter.HuggingFaceTypes;
import org.peft4j.adapter.Methods;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.Full;
import org.peft4j.reparam.Surgical;
import org.peft4j.spi.Additive;
import org.peft4j.spi.Method;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Lists the methods. */
@Command(name = "methods", description = "List the methods.", mixinStandardHelpOptions = true)
final class MethodsCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      paramLabel = "X",
      description =
          "Count what each would train in this model by default: a Hugging Face directory, a GGUF"
              + " file, hub:org/name, minilm, or a well-known name such as llama-7b.")
  private @Nullable String model;

  @Override
  public Integer call() {
    List<ColumnData<Method>> columns = new ArrayList<>();
    columns.add(left("method").with(Method::name));
    if (model != null) {
      Pretrained m = CountCommand.sizes(model);
      Blueprint blueprint = new Blueprint(m, m.usualTargets(), m.newModules());
      columns.add(new Column().header("trainable").with(e -> trainable(blueprint, e.standard())));
    }
    columns.add(left("acts on").with(e -> actsOn(e.standard())));
    columns.add(left("merges").with(e -> e.standard().mergeable() ? "yes" : "no"));
    columns.add(
        left("quantised base")
            .with(
                e ->
                    e.standard() instanceof Full || e.standard() instanceof Surgical
                        ? "trains a decoded copy"
                        : "yes"));
    columns.add(left("several").with(e -> e.standard() instanceof Additive ? "yes" : "no"));
    columns.add(left("Hugging Face").with(e -> huggingFace(e.standard())));
    columns.add(left("defaults").with(e -> e.standard().summary()));
    System.out.println(AsciiTable.getTable(AsciiTable.NO_BORDERS, Methods.all(), columns));
    System.out.println("\nNames that Hugging Face has given up:\n");
    List<ColumnData<String>> absent =
        List.of(
            new Column()
                .headerAlign(HorizontalAlign.LEFT)
                .dataAlign(HorizontalAlign.LEFT)
                .with(t -> t),
            left("").maxWidth(100).with(HuggingFaceTypes::why));
    System.out.println(
        AsciiTable.getTable(AsciiTable.NO_BORDERS, HuggingFaceTypes.absentTypes(), absent));
    return 0;
  }

  /** What it would train, or why not. */
  private static String trainable(Blueprint blueprint, Reparam method) {
    try {
      return String.format(
          Locale.ROOT, "%,d", blueprint.count(method, Placement.DEFAULT).trainable());
    } catch (IllegalArgumentException e) {
      return "-"; // nothing to act on in this model
    }
  }

  private static String actsOn(Reparam method) {
    return method.kinds().isEmpty()
        ? "what flows"
        : method.kinds().stream()
            .sorted()
            .map(k -> k.toString().toLowerCase(Locale.ROOT))
            .collect(Collectors.joining(", "));
  }

  private static String huggingFace(Reparam method) {
    return Methods.isHuggingFaces(method.peftType()) ? method.peftType() : "";
  }

  private static Column left(String header) {
    return new Column()
        .header(header)
        .headerAlign(HorizontalAlign.LEFT)
        .dataAlign(HorizontalAlign.LEFT)
        .maxWidth(70);
  }
}
