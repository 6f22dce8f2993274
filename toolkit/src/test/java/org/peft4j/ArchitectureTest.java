package org.peft4j;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The package table: who may use whom. Arrows never point up. */
@Tag("fast")
class ArchitectureTest {
  private static final String ROOT = "org.peft4j";
  private static final JavaClasses CLASSES = new ClassFileImporter().importPath(main());

  /** Where the classes under test lie, without those of the tests. */
  private static Path main() {
    try {
      return Path.of(Peft.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Lowest first; each package may use those named and nothing else of ours. */
  private static final Map<String, Set<String>> TABLE = new LinkedHashMap<>();

  static {
    TABLE.put("tensor", Set.of());
    TABLE.put("format", Set.of("tensor"));
    TABLE.put("hub", Set.of("tensor", "format"));
    TABLE.put("text.jinja", Set.of("format"));
    TABLE.put("text", Set.of("text.jinja", "tensor", "format"));
    TABLE.put("onnx", Set.of("tensor", "format"));
    TABLE.put("spi", Set.of("tensor"));
    TABLE.put("quant", Set.of("spi", "tensor"));
    TABLE.put("reparam", Set.of("quant", "spi", "tensor"));
    TABLE.put("hook", Set.of("spi", "tensor"));
    TABLE.put("nn", Set.of("spi", "tensor"));
    TABLE.put("model", Set.of("nn", "quant", "spi", "format", "text", "tensor"));
    TABLE.put("data", Set.of("text", "format", "tensor"));
    TABLE.put("adapter", Set.of("model", "reparam", "hook", "nn", "spi", "format", "tensor"));
    TABLE.put("train", Set.of("adapter", "data", "model", "spi", "format", "text", "tensor"));
    TABLE.put("generate", Set.of("adapter", "model", "nn", "text", "tensor"));
    TABLE.put(
        "export",
        Set.of(
            "onnx",
            "format",
            "adapter",
            "generate",
            "model",
            "nn",
            "quant",
            "spi",
            "tensor",
            "text"));
    Set<String> facade = new TreeSet<>(TABLE.keySet());
    facade.removeAll(Set.of("nn", "text.jinja"));
    TABLE.put("", facade);
    TABLE.put("notebook", and(facade, ""));
    TABLE.put("ipynb", Set.of("notebook", "format", "shell"));
    TABLE.put("shell", Set.of("format", "notebook"));
    TABLE.put("cli", and(facade, "", "notebook", "ipynb", "shell"));
  }

  private static Set<String> and(Set<String> packages, String... more) {
    Set<String> all = new TreeSet<>(packages);
    all.addAll(List.of(more));
    return all;
  }

  @Test
  void every_package_uses_only_those_below_it() {
    List<String> wrong = new ArrayList<>();
    for (JavaClass c : CLASSES) {
      String from = packageOf(c);
      Set<String> allowed = TABLE.get(from);
      assertThat(allowed).as("package '" + from + "' stands in the table").isNotNull();
      c.getDirectDependenciesFromSelf()
          .forEach(
              d -> {
                JavaClass target = d.getTargetClass();
                if (target.getPackageName().startsWith(ROOT)
                    && !packageOf(target).equals(from)
                    && !allowed.contains(packageOf(target))) {
                  wrong.add(d.getDescription());
                }
              });
    }
    assertThat(wrong).isEmpty();
  }

  private static String packageOf(JavaClass c) {
    String name = c.getPackageName();
    return name.equals(ROOT) ? "" : name.substring(ROOT.length() + 1);
  }

  @Test
  void packages_have_no_cycles() {
    SlicesRuleDefinition.slices()
        .matching("org.peft4j.(*)..")
        .should()
        .beFreeOfCycles()
        .check(CLASSES);
  }

  /**
   * DJL keeps the number of {@code x.mul(number)} in memory that is gone when the backward pass
   * reads it; {@code tensor.Scalars} is the way.
   */
  @Test
  void gradients_never_pass_through_products_with_java_numbers() {
    DescribedPredicate<JavaAccess<?>> product =
        DescribedPredicate.describe(
            "NDArray.mul, div or pow with a Number",
            access ->
                access instanceof JavaMethodCall call
                    && call.getTargetOwner().isAssignableTo(NDArray.class)
                    && Set.of("mul", "div", "pow", "mod", "maximum", "minimum")
                        .contains(call.getTarget().getName())
                    && call.getTarget().getRawParameterTypes().get(0).isEquivalentTo(Number.class));
    noClasses()
        .that()
        .resideInAnyPackage(
            "org.peft4j.reparam..",
            "org.peft4j.nn..",
            "org.peft4j.spi..",
            "org.peft4j.adapter..",
            "org.peft4j.model..",
            "org.peft4j.train..")
        .should()
        .accessTargetWhere(product)
        .check(CLASSES);
  }

  @Test
  void only_the_onnx_package_knows_protobuf_and_only_cli_knows_picocli() {
    noClasses()
        .that()
        .resideOutsideOfPackages("org.peft4j.onnx..", "org.peft4j.format..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("ai.onnx.proto..", "com.google.protobuf..")
        .check(CLASSES);
    noClasses()
        .that()
        .resideOutsideOfPackage("org.peft4j.cli..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("picocli..", "org.snakeyaml..")
        .check(CLASSES);
    noClasses()
        .that()
        .resideOutsideOfPackage("org.peft4j.ipynb..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.commonmark..")
        .check(CLASSES);
    noClasses()
        .that()
        .resideOutsideOfPackages("org.peft4j.notebook..", "org.peft4j.cli..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.jfree..", "me.tongfei..", "java.awt..")
        .check(CLASSES);
  }

  @Test
  void names_say_what_a_class_is() {
    classes()
        .should()
        .haveSimpleNameNotEndingWith("Util")
        .andShould()
        .haveSimpleNameNotEndingWith("Utils")
        .andShould()
        .haveSimpleNameNotEndingWith("Helper")
        .andShould()
        .haveSimpleNameNotEndingWith("Impl")
        .andShould()
        .haveSimpleNameNotEndingWith("Manager")
        .check(
            CLASSES.that(
                DescribedPredicate.describe(
                    "ours, but for the traced NDManager",
                    c -> !c.getSimpleName().equals("TracedManager"))));
  }
}
