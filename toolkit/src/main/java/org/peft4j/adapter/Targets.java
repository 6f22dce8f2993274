package org.peft4j.adapter;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Site;

/**
 * Which sites a {@link Placement} means. An entry is a role, {@code all-linear}, a module name as
 * Hugging Face writes it, the end of one (at a dot), or {@code regex:} followed by an expression
 * for the whole name. An entry that fits nothing is an error. Experts are meant by two parts of
 * their name, {@code experts.down_proj}, so that {@code down_proj} stays a layer's.
 */
final class Targets {
  static final Set<String> ROLES =
      Set.of("q", "k", "v", "o", "gate", "up", "down", "fc1", "fc2", "embed", "head");
  private static final String REGEX = "regex:";
  private static final String ALL_LINEAR = "all-linear";

  private Targets() {}

  /**
   * The sites to adapt.
   *
   * @param kinds the kinds of sites the method can act on
   * @param method what messages call the method
   * @param usual the entries to use when the placement names none
   */
  static List<Site> match(
      List<Site> all, Placement placement, Set<Kind> kinds, String method, List<String> usual) {
    List<String> entries = placement.targets().isEmpty() ? usual : placement.targets();
    if (entries.isEmpty()) {
      throw new IllegalArgumentException(
          "targets: this model has no usual ones\nfix: name them, for example .targets(\"all-linear\")\nthere are: "
              + names(all));
    }
    Set<Site> chosen = new LinkedHashSet<>();
    for (String entry : entries) {
      List<Site> hit = find(all, entry);
      if (hit.isEmpty()) {
        throw new IllegalArgumentException(noMatch("targets", entry, all));
      }
      chosen.addAll(hit);
    }
    Set<Site> excluded = new LinkedHashSet<>();
    for (String entry : placement.exclude()) {
      List<Site> hit = find(all, entry);
      if (hit.isEmpty()) {
        throw new IllegalArgumentException(noMatch("exclude", entry, all));
      }
      excluded.addAll(hit);
    }
    for (String entry : placement.modulesToSave()) {
      excluded.addAll(modules(all, entry));
    }
    Set<Integer> layers =
        all.stream().map(Site::layer).filter(l -> l >= 0).collect(Collectors.toSet());
    for (int layer : placement.layers()) {
      if (!layers.contains(layer)) {
        throw new IllegalArgumentException(
            "layers: there is no layer "
                + layer
                + "\nexpected: "
                + (layers.isEmpty()
                    ? "none (this model has no numbered layers)"
                    : "0 to " + java.util.Collections.max(layers)));
      }
    }
    List<Site> out = new ArrayList<>();
    for (Site s : all) { // in the order of the model
      if (chosen.contains(s)
          && !excluded.contains(s)
          && (placement.layers().isEmpty() || placement.layers().contains(s.layer()))) {
        out.add(s);
      }
    }
    if (out.isEmpty()) {
      throw new IllegalArgumentException(
          "targets: nothing is left to adapt\nfound: "
              + entries
              + " without "
              + placement.exclude()
              + (placement.layers().isEmpty() ? "" : " in layers " + placement.layers()));
    }
    List<Site> wrong = out.stream().filter(s -> !kinds.contains(s.kind())).toList();
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(
          method
              + " cannot adapt\nfound: "
              + wrong.stream()
                  .map(s -> s.path() + " (" + s.kind() + ")")
                  .collect(Collectors.joining(", "))
              + "\nexpected: sites of kind "
              + kinds
              + "\nfix: name other targets, or exclude these");
    }
    return out;
  }

  /** The sites that a module's name means; an error if there are none. */
  static List<Site> named(List<Site> all, String module) {
    List<Site> hit = find(all, module);
    if (hit.isEmpty()) {
      throw new IllegalArgumentException(noMatch("trainable_token_indices", module, all));
    }
    return hit;
  }

  /** Whether all that the targets name is trained as a whole and saved anyway. */
  static boolean areSaved(List<Site> all, Placement placement) {
    Set<Site> chosen = new LinkedHashSet<>();
    placement.targets().forEach(t -> chosen.addAll(find(all, t)));
    Set<Site> saved = new LinkedHashSet<>();
    placement.modulesToSave().forEach(m -> saved.addAll(modules(all, m)));
    return !chosen.isEmpty() && saved.containsAll(chosen);
  }

  /**
   * The sites that an entry of {@code modules_to_save} means: the module itself or everything below
   * it.
   */
  static List<Site> modules(List<Site> all, String entry) {
    List<Site> hit = all.stream().filter(s -> under(s.path(), entry)).toList();
    if (hit.isEmpty()) {
      throw new IllegalArgumentException(noMatch("modules_to_save", entry, all));
    }
    return hit;
  }

  private static boolean under(String path, String entry) {
    return ("." + path + ".").contains("." + entry + ".");
  }

  private static List<Site> find(List<Site> all, String entry) {
    if (entry.startsWith(REGEX)) {
      Pattern pattern = compile(entry.substring(REGEX.length()));
      return where(all, s -> pattern.matcher(s.path()).matches());
    }
    if (entry.equals(ALL_LINEAR)) {
      return where(
          all,
          s ->
              s.kind() == Kind.LINEAR && !"head".equals(s.role()) && !Site.ROUTER.equals(s.role()));
    }
    if (ROLES.contains(entry)) {
      List<Site> byRole = where(all, s -> entry.equals(s.role()));
      if (!byRole.isEmpty()) {
        return byRole;
      }
    }
    return where(
        all,
        s ->
            (named(s.path(), entry) || named(withoutNumbers(s.path()), entry))
                && (s.kind() != Kind.EXPERTS || entry.contains(".")));
  }

  private static boolean named(String path, String entry) {
    return path.equals(entry) || path.endsWith("." + entry);
  }

  /** {@code 01Linear} as {@code Linear}. */
  private static String withoutNumbers(String path) {
    return path.replaceAll("(^|\\.)\\d{2}(?=[A-Za-z])", "$1");
  }

  private static List<Site> where(List<Site> all, Predicate<Site> fits) {
    return all.stream().filter(fits).toList();
  }

  private static Pattern compile(String regex) {
    try {
      return Pattern.compile(regex);
    } catch (PatternSyntaxException e) {
      throw new IllegalArgumentException(
          "targets: '" + regex + "' is not a regular expression: " + e.getDescription(), e);
    }
  }

  private static String noMatch(String what, String entry, List<Site> all) {
    Set<String> known = new LinkedHashSet<>();
    all.forEach(
        s -> {
          if (s.role() != null) {
            known.add(s.role());
          }
          known.add(s.path().substring(s.path().lastIndexOf('.') + 1));
        });
    List<String> near =
        known.stream().sorted(Comparator.comparingInt(k -> distance(k, entry))).limit(3).toList();
    return what
        + ": nothing is called '"
        + entry
        + "'\nnearest: "
        + String.join(", ", near)
        + "\nthere are: "
        + names(all);
  }

  /** The distinct ends of the names, with one full name as an example. */
  private static String names(Collection<Site> all) {
    Set<String> ends = new LinkedHashSet<>();
    all.forEach(s -> ends.add(s.path().replaceAll("\\d+(?=\\.|$)", "*")));
    return String.join(", ", ends);
  }

  /** Levenshtein's. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
