package org.peft4j.shell;

import java.util.List;
import java.util.stream.Collectors;
import jdk.jshell.DeclarationSnippet;
import jdk.jshell.ExpressionSnippet;
import jdk.jshell.JShell;
import jdk.jshell.JShellException;
import jdk.jshell.MethodSnippet;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.TypeDeclSnippet;
import jdk.jshell.UnresolvedReferenceException;
import jdk.jshell.VarSnippet;
import org.jspecify.annotations.Nullable;

/** What there is to say about a snippet that was accepted. */
final class Reports {
  private Reports() {}

  /** Null where there is nothing to say: imports and statements. */
  static @Nullable Feedback of(JShell shell, SnippetEvent event, @Nullable Object value) {
    Snippet s = event.snippet();
    if (s instanceof VarSnippet v && event.status() == Snippet.Status.VALID) {
      return new Feedback(v.name(), value, value(event), isTemporary(v));
    }
    if (s instanceof ExpressionSnippet x) {
      return new Feedback(
          x.name(), value, value(event), x.subKind() != Snippet.SubKind.ASSIGNMENT_SUBKIND);
    }
    if (s instanceof DeclarationSnippet d && !(s instanceof jdk.jshell.ImportSnippet)) {
      return Feedback.note(declared(d) + missing(shell, d, event.status()));
    }
    return null;
  }

  private static String value(SnippetEvent event) {
    return event.value() == null ? "null" : event.value();
  }

  static boolean isTemporary(Snippet s) {
    return s.subKind() == Snippet.SubKind.TEMP_VAR_EXPRESSION_SUBKIND;
  }

  private static String declared(DeclarationSnippet d) {
    if (d instanceof MethodSnippet m) {
      return "created method " + m.name() + "(" + m.parameterTypes() + ")";
    }
    if (d instanceof TypeDeclSnippet t) {
      String kind =
          switch (t.subKind()) {
            case INTERFACE_SUBKIND -> "interface";
            case ENUM_SUBKIND -> "enum";
            case ANNOTATION_TYPE_SUBKIND -> "annotation";
            default ->
                t.subKind().name().startsWith("RECORD") ? "record" : "class"; // records: from 16 on
          };
      return "created " + kind + " " + t.name();
    }
    return "created variable " + d.name();
  }

  private static String missing(JShell shell, DeclarationSnippet d, Snippet.Status status) {
    List<String> names = shell.unresolvedDependencies(d).toList();
    if (names.isEmpty() || status == Snippet.Status.VALID) {
      return "";
    }
    String verb =
        d instanceof MethodSnippet ? "invoked" : d instanceof VarSnippet ? "used" : "instantiated";
    return ", however, it cannot be "
        + (status == Snippet.Status.RECOVERABLE_NOT_DEFINED ? "used" : verb)
        + " until "
        + String.join(", ", names)
        + (names.size() == 1 ? " is declared" : " are declared");
  }

  /** An exception of JShell's own: something that was declared uses what is not there. */
  static Failure unresolved(JShell shell, JShellException e, int line) {
    if (e instanceof UnresolvedReferenceException u) {
      String names = shell.unresolvedDependencies(u.getSnippet()).collect(Collectors.joining(", "));
      return Failure.of(
          Failure.Kind.COMPILE,
          "error: " + u.getSnippet().name() + " uses what is not declared: " + names,
          line);
    }
    return Failure.of(e, line);
  }

  /** Types without their packages. */
  static String shorter(String signature) {
    return signature.replaceAll("\\b(?:[a-z_]\\w*\\.)+(?=[A-Z])", "");
  }
}
