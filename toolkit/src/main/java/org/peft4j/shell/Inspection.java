package org.peft4j.shell;

import java.util.ArrayList;
import java.util.List;
import jdk.jshell.SourceCodeAnalysis;

/** Signatures as JShell knows them, with comments from the JDK's sources or our index. */
final class Inspection {
  private Inspection() {}

  /** Of what stands at the end of {@code snippet}. */
  static List<Documented> of(SourceCodeAnalysis analysis, String snippet) {
    List<Documented> out = new ArrayList<>();
    for (SourceCodeAnalysis.Documentation d :
        analysis.documentation(snippet, snippet.length(), true)) {
      String jdk = d.javadoc();
      String text = jdk == null ? Javadocs.of(d.signature()) : Javadocs.plain(jdk);
      out.add(
          new Documented(Reports.shorter(d.signature()).replaceFirst("^(\\w+):", "$1: "), text));
    }
    return out;
  }
}
