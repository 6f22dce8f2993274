import com.sun.source.doctree.DocCommentTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.tree.VariableTree;
import com.sun.source.util.DocTrees;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreePath;
import com.sun.source.util.TreePathScanner;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.lang.model.element.Modifier;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Collects the comments of public classes and their members into one JSON file, as JShell knows no
 * documentation of what is in jars: {@code java JavadocIndex.java SOURCES OUT}. Keys are {@code
 * package.Class} and {@code package.Class.method(Type,Type)}, types without packages and parameters
 * of types; values are the comments as written. Does nothing where OUT is newer than all sources.
 */
final class JavadocIndex extends TreePathScanner<Void, String> {
  private final DocTrees trees;
  private final Map<String, String> comments = new TreeMap<>();

  private JavadocIndex(DocTrees trees) {
    this.trees = trees;
  }

  public static void main(String[] arguments) throws IOException {
    Path sources = Path.of(arguments[0]);
    Path out = Path.of(arguments[1]);
    List<Path> files;
    try (Stream<Path> walk = Files.walk(sources)) {
      files = walk.filter(f -> f.toString().endsWith(".java")).sorted().toList();
    }
    FileTime newest = FileTime.fromMillis(0);
    for (Path f : files) {
      FileTime t = Files.getLastModifiedTime(f);
      newest = t.compareTo(newest) > 0 ? t : newest;
    }
    if (Files.exists(out) && Files.getLastModifiedTime(out).compareTo(newest) > 0) {
      return;
    }
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StandardJavaFileManager manager =
        compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8);
    JavacTask task =
        (JavacTask)
            compiler.getTask(
                null,
                manager,
                d -> {},
                List.of("-proc:none"),
                null,
                manager.getJavaFileObjectsFromPaths(files));
    JavadocIndex index = new JavadocIndex(DocTrees.instance(task));
    for (CompilationUnitTree unit : task.parse()) {
      index.scan(unit, unit.getPackageName() == null ? "" : unit.getPackageName() + ".");
    }
    Path folder = Files.createDirectories(out.toAbsolutePath().getParent());
    Path part = folder.resolve(out.getFileName() + ".part");
    Files.writeString(part, index.json());
    Files.move(part, out, StandardCopyOption.REPLACE_EXISTING);
  }

  @Override
  public Void visitClass(ClassTree type, String owner) {
    String name = owner + type.getSimpleName();
    boolean inner = getCurrentPath().getParentPath().getLeaf() instanceof ClassTree;
    if (!isPublic(type.getModifiers().getFlags(), inner ? getCurrentPath().getParentPath() : null)) {
      return null;
    }
    add(name);
    for (Tree member : type.getMembers()) {
      scan(member, name + ".");
    }
    return null;
  }

  @Override
  public Void visitMethod(MethodTree method, String owner) {
    if (isPublic(method.getModifiers().getFlags(), getCurrentPath().getParentPath())) {
      boolean constructor = method.getName().contentEquals("<init>");
      String name = constructor ? owner.substring(0, owner.length() - 1) : owner + method.getName();
      add(
          name
              + method.getParameters().stream()
                  .map(JavadocIndex::type)
                  .collect(Collectors.joining(",", "(", ")")));
    }
    return null;
  }

  @Override
  public Void visitVariable(VariableTree field, String owner) {
    if (isPublic(field.getModifiers().getFlags(), getCurrentPath().getParentPath())) {
      add(owner + field.getName());
    }
    return null;
  }

  /** Members of interfaces, constants of enums and constructors of records are public unsaid. */
  private static boolean isPublic(java.util.Set<Modifier> flags, TreePath owner) {
    if (flags.contains(Modifier.PUBLIC) || flags.contains(Modifier.PROTECTED)) {
      return true;
    }
    return owner != null
        && owner.getLeaf().getKind() == Tree.Kind.INTERFACE
        && !flags.contains(Modifier.PRIVATE);
  }

  /** {@code Map<String, int[]>... x} becomes {@code Map...}. */
  private static String type(VariableTree parameter) {
    String written = parameter.getType().toString().replaceAll("@[\\w.]+(\\([^)]*\\))?\\s*", "");
    StringBuilder plain = new StringBuilder();
    int depth = 0;
    for (char c : written.toCharArray()) {
      depth += c == '<' ? 1 : 0;
      if (depth == 0) {
        plain.append(c);
      }
      depth -= c == '>' ? 1 : 0;
    }
    String type = plain.toString().replaceAll("\\b(?:[a-z_]\\w*\\.)+(?=[A-Z])", "");
    boolean many = parameter.toString().contains("...");
    return many && type.endsWith("[]") ? type.substring(0, type.length() - 2) + "..." : type;
  }

  private void add(String key) {
    DocCommentTree tree = trees.getDocCommentTree(getCurrentPath());
    String comment = tree == null ? null : trees.getDocComment(getCurrentPath());
    if (comment != null) {
      comments.put(key, comment.strip());
    }
  }

  private String json() {
    List<String> lines = new ArrayList<>();
    comments.entrySet().stream()
        .sorted(Map.Entry.comparingByKey(Comparator.naturalOrder()))
        .forEach(e -> lines.add(quoted(e.getKey()) + ": " + quoted(e.getValue())));
    return "{\n" + String.join(",\n", lines) + "\n}\n";
  }

  private static String quoted(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\t' -> out.append("\\t");
        default -> out.append(c < ' ' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
      }
    }
    return out.append('"').toString();
  }
}
