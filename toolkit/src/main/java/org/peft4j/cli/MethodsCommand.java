package org.peft4j.cli;

import com.github.freva.asciitable.AsciiTable;
import com.github.freva.asciitable.Column;
import com.github.freva.asciitable.HorizontalAlign;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.peft4j.adapter.Methods;
import org.peft4j.spi.Additive;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Method;
import picocli.CommandLine.Command;

/** Lists the methods. */
@Command(name = "methods", description = "List the methods.", mixinStandardHelpOptions = true)
final class MethodsCommand implements Callable<Integer> {
  @Override
  public Integer call() {
    System.out.println(
        AsciiTable.getTable(
            AsciiTable.NO_BORDERS,
            Methods.all(),
            List.of(
                left("method").with(Method::name),
                left("peft_type").with(e -> e.standard().peftType()),
                left("acts on")
                    .with(
                        e ->
                            e.standard() instanceof Hook
                                ? "what flows"
                                : e.standard().kinds().stream()
                                    .sorted()
                                    .map(k -> k.toString().toLowerCase(Locale.ROOT))
                                    .collect(Collectors.joining(", "))),
                left("several at once").with(e -> e.standard() instanceof Additive ? "yes" : "no"),
                left("defaults").with(e -> e.standard().summary()))));
    return 0;
  }

  private static Column left(String header) {
    return new Column()
        .header(header)
        .headerAlign(HorizontalAlign.LEFT)
        .dataAlign(HorizontalAlign.LEFT)
        .maxWidth(70);
  }
}
