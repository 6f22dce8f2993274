package org.peft4j.text.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.format.Json;

/** Our text is transformers' text, byte for byte; see golden_chat.py and golden_jinja.py. */
@Tag("fast")
@SuppressWarnings("unchecked")
class GoldenTemplatesTest {
  private static final Path FOLDER =
      Path.of(System.getProperty("peft4j.root", ".."), "toolkit/src/test/resources/text");

  /** What jinja2 knows and we refuse with an error: no chat template needs it. */
  private static final Pattern REFUSED =
      Pattern.compile(
          "\\.(swapcase|center|expandtabs|encode)\\(|\\| (groupby|slice|striptags|truncate|urlencode"
              + "|pprint|center)\\b|'%[eg]'|\\(-8\\) \\*\\*|\\{% (autoescape|block) ");

  @Test
  void chat_templates_render_as_transformers_renders_them() throws IOException {
    Map<String, Object> golden =
        (Map<String, Object>) (Map<?, ?>) Json.read(FOLDER.resolve("chat.json"));
    Map<String, Template> templates = new LinkedHashMap<>();
    List<String> wrong = new ArrayList<>();
    List<Map<String, Object>> cases = (List<Map<String, Object>>) golden.get("cases");
    for (Map<String, Object> c : cases) {
      String file = (String) c.get("template");
      Template template = templates.get(file);
      if (template == null) {
        template = Template.parse(Files.readString(FOLDER.resolve("chat").resolve(file)), file);
        templates.put(file, template);
      }
      Map<String, Object> values = new LinkedHashMap<>();
      values.put("tools", null);
      values.put("documents", null);
      values.put("date_string", "today");
      values.putAll((Map<String, Object>) golden.get("tokens"));
      values.put(
          "messages",
          ((Map<String, Object>) golden.get("conversations")).get(c.get("conversation")));
      values.putAll(
          ((List<Map<String, Object>>) golden.get("settings"))
              .get(((Long) c.get("settings")).intValue()));
      check(
          c, file + " " + c.get("conversation") + " " + c.get("settings"), template, values, wrong);
    }
    assertThat(cases).hasSizeGreaterThan(900);
    assertThat(wrong).isEmpty();
  }

  @Test
  void every_construct_renders_as_jinja_renders_it() throws IOException {
    Map<String, Object> golden =
        (Map<String, Object>) (Map<?, ?>) Json.read(FOLDER.resolve("jinja.json"));
    Map<String, Object> values = (Map<String, Object>) golden.get("values");
    List<String> wrong = new ArrayList<>();
    List<Map<String, Object>> cases = (List<Map<String, Object>>) golden.get("cases");
    for (Map<String, Object> c : cases) {
      String source = (String) c.get("template");
      String found;
      try {
        found = "text " + Template.parse(source, "test").render(values);
      } catch (TemplateException e) {
        found = "error " + e.getMessage();
        Object line = c.get("line");
        if (line != null && (Long) line != e.line()) {
          wrong.add(source + "\n  line " + e.line() + " instead of " + line);
        }
        assertThat(e.line()).as(source).isPositive();
      }
      boolean right =
          REFUSED.matcher(source).find()
              ? found.startsWith("error ")
              : c.containsKey("text")
                  ? found.equals("text " + c.get("text"))
                  : found.startsWith("error ");
      if (!right) {
        wrong.add(source + "\n  " + found + "\n  golden " + c);
      }
    }
    assertThat(cases).hasSizeGreaterThan(800);
    assertThat(wrong).isEmpty();
  }

  @Test
  void dates_are_written_as_python_writes_them() throws IOException {
    Map<String, Object> golden =
        (Map<String, Object>) (Map<?, ?>) Json.read(FOLDER.resolve("jinja.json"));
    List<Map<String, String>> times = (List<Map<String, String>>) golden.get("times");
    assertThat(times).isNotEmpty();
    for (Map<String, String> t : times) {
      assertThat(Strftime.format(t.get("format"), LocalDateTime.parse(t.get("time"))))
          .as(t.get("format"))
          .isEqualTo(t.get("text"));
    }
  }

  private static void check(
      Map<String, Object> golden,
      String name,
      Template template,
      Map<String, Object> values,
      List<String> wrong) {
    String found;
    try {
      found = template.render(values);
      if (!found.equals(golden.get("text"))) {
        wrong.add(name + "\n  found  " + found + "\n  golden " + golden);
      }
    } catch (TemplateException e) {
      boolean sameRefusal =
          golden.containsKey("error")
              && (golden.get("error") == null || golden.get("error").equals(e.reason()));
      if (!sameRefusal) {
        wrong.add(name + "\n  error  " + e.getMessage() + "\n  golden " + golden);
      }
    }
  }
}
