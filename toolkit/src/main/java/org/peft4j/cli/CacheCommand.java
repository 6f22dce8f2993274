package org.peft4j.cli;

import com.github.freva.asciitable.AsciiTable;
import com.github.freva.asciitable.Column;
import com.github.freva.asciitable.HorizontalAlign;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.hub.CacheEntry;
import org.peft4j.hub.CacheEntry.Group;
import org.peft4j.hub.CacheInventory;
import org.peft4j.hub.Size;
import org.peft4j.notebook.Progress;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Shows and cleans what lies on the disk. */
@Command(
    name = "cache",
    description =
        "Show, and clean, what lies on the disk: models of the Hugging Face hub (shared with Python),"
            + " weights and word lists from Maven Central, unpacked native libraries. All of it"
            + " comes again when it is wanted.",
    mixinStandardHelpOptions = true)
final class CacheCommand implements Callable<Integer> {
  @Option(
      names = "--clean",
      paramLabel = "NAME",
      description =
          "Delete this: a name from the list, org/name for all its revisions, or one of the groups"
              + " hub, maven, natives, incomplete, temporary. Repeatable.")
  private List<String> clean = new ArrayList<>();

  @Option(
      names = "--unused",
      paramLabel = "DAYS",
      description = "Delete what was not read for so many days.")
  private @Nullable Integer unused;

  @Option(names = "--dry-run", description = "Only say what would be deleted.")
  private boolean dryRun;

  @Option(names = "--yes", description = "Delete without asking.")
  private boolean yes;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    if (unused != null && unused < 0) {
      throw new IllegalArgumentException("--unused: expected a number of days, found " + unused);
    }
    List<CacheEntry> all = CacheInventory.take();
    if (clean.isEmpty() && unused == null) {
      if (dryRun || yes) {
        throw new IllegalArgumentException(
            "--dry-run and --yes: expected with --clean or --unused, found without");
      }
      show(all);
      return 0;
    }
    List<CacheEntry> chosen = chosen(all);
    if (chosen.isEmpty()) {
      say("nothing to delete");
    } else if (!json) {
      System.out.println(table(chosen));
    }
    boolean does = !chosen.isEmpty() && !dryRun && (yes || agreed(chosen));
    if (does) {
      chosen.forEach(CacheInventory::delete);
    }
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("deleted", does);
      line.put("bytes", sum(chosen));
      line.put("entries", entries(chosen));
      JsonLine.print(line);
    } else if (!chosen.isEmpty()) {
      System.out.println(
          (does ? "deleted " : dryRun ? "would delete " : "kept ") + Size.text(sum(chosen)));
    }
    return 0;
  }

  private void say(String text) {
    if (!json) {
      System.out.println(text);
    }
  }

  // ---- choosing
  // -----------------------------------------------------------------------------------------------------------

  private List<CacheEntry> chosen(List<CacheEntry> all) {
    Set<CacheEntry> out = new LinkedHashSet<>();
    for (String name : clean) {
      List<CacheEntry> found = all.stream().filter(e -> isCalled(e, name)).toList();
      boolean group = List.of(Group.values()).stream().anyMatch(g -> g.toString().equals(name));
      if (found.isEmpty() && !group) {
        throw new IllegalArgumentException(
            "--clean "
                + name
                + "\nexpected: a name that peft cache lists, or a group\nfound: "
                + (all.isEmpty()
                    ? "nothing in the caches"
                    : String.join(", ", all.stream().map(CacheEntry::name).toList())));
      }
      out.addAll(found);
    }
    if (unused != null) {
      Instant since = Instant.now().minus(Duration.ofDays(unused));
      List<CacheEntry> from = clean.isEmpty() ? all : List.copyOf(out);
      out.clear();
      from.stream().filter(e -> e.used().isBefore(since)).forEach(out::add);
    }
    return List.copyOf(out);
  }

  private static boolean isCalled(CacheEntry entry, String name) {
    String plain = name.startsWith("hub:") ? name.substring(4) : name;
    return entry.name().equals(plain)
        || entry.group().toString().equals(name)
        || (entry.group() == Group.HUB && entry.name().startsWith(plain + "@"));
  }

  private boolean agreed(List<CacheEntry> chosen) throws IOException {
    if (json || !Progress.isTerminal()) {
      throw new IllegalArgumentException(
          "nobody can be asked here\nexpected: --yes\nfound: no terminal"
              + "\nfix: look at what would go with --dry-run, then say --yes");
    }
    System.out.print("Delete " + Size.text(sum(chosen)) + "? [y/N] ");
    System.out.flush();
    String answer =
        new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset())).readLine();
    return answer != null && answer.strip().matches("(?i)y|yes");
  }

  // ---- showing
  // ------------------------------------------------------------------------------------------------------------

  private void show(List<CacheEntry> all) {
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("bytes", sum(all));
      line.put("entries", entries(all));
      JsonLine.print(line);
      return;
    }
    for (Group group : Group.values()) {
      List<CacheEntry> some = all.stream().filter(e -> e.group() == group).toList();
      boolean always = group == Group.HUB || group == Group.MAVEN || group == Group.NATIVES;
      if (always || !some.isEmpty()) {
        System.out.println(
            group + ": " + Size.text(sum(some)) + " in " + CacheInventory.folder(group));
        if (!some.isEmpty()) {
          System.out.println(table(some));
        }
        System.out.println();
      }
    }
    System.out.println(
        Size.text(sum(all)) + " in all; peft cache --clean NAME deletes, --dry-run only says what");
  }

  private static long sum(List<CacheEntry> entries) {
    return entries.stream().mapToLong(CacheEntry::bytes).sum();
  }

  private static List<Object> entries(List<CacheEntry> entries) {
    List<Object> out = new ArrayList<>();
    for (CacheEntry e : entries) {
      Map<String, @Nullable Object> entry = new LinkedHashMap<>();
      entry.put("group", e.group().toString());
      entry.put("name", e.name());
      entry.put("note", e.note());
      entry.put("path", e.path().toString());
      entry.put("bytes", e.bytes());
      entry.put("used", e.used().toString());
      out.add(entry);
    }
    return out;
  }

  private static String table(List<CacheEntry> entries) {
    return AsciiTable.getTable(
        AsciiTable.NO_BORDERS,
        entries,
        List.of(
            left().with(CacheEntry::name),
            new Column().with(e -> Size.text(e.bytes())),
            left().with(e -> "read " + e.used().atZone(ZoneId.systemDefault()).toLocalDate()),
            left().with(CacheEntry::note)));
  }

  private static Column left() {
    return new Column().dataAlign(HorizontalAlign.LEFT).maxWidth(90);
  }
}
