package org.peft4j.text.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A template from a stranger ends, in bounded time and memory, with one clear exception. */
@Tag("fast")
class HostileTemplatesTest {
  private static final String LOOP = "{% for a in range(99999) %}";

  @ParameterizedTest
  @ValueSource(
      strings = {
        LOOP + LOOP + LOOP + "{% endfor %}{% endfor %}{% endfor %}",
        LOOP + LOOP + "{{ 'a' * 1000 }}{% endfor %}{% endfor %}",
        "{{ 'a' * 9999999999 }}",
        "{{ [1] * 9999999999 }}",
        "{% set n = namespace(s='ab') %}" + LOOP + "{% set n.s = n.s + n.s %}{% endfor %}",
        "{% set n = namespace(s='ab') %}" + LOOP + "{% set n.s = n.s ~ n.s %}{% endfor %}",
        "{% set n = namespace(s='ab') %}"
            + LOOP
            + "{% set n.s = n.s.replace('', 'xyz') %}{% endfor %}",
        "{% set n = namespace(s='ab') %}"
            + LOOP
            + "{% set n.s = n.s | replace('a', 'aaaa') %}{% endfor %}",
        "{% set n = namespace(s='ab') %}"
            + LOOP
            + "{% set n.s = n.s.join(['', n.s, n.s]) %}{% endfor %}",
        "{% set n = namespace(s='ab') %}"
            + LOOP
            + "{% set n.s = '%s%s' % (n.s, n.s) %}{% endfor %}",
        "{% set n = namespace(s='ab') %}"
            + LOOP
            + "{% set n.s = '{0}{0}'.format(n.s) %}{% endfor %}",
        "{% set n = namespace(l=[1]) %}" + LOOP + "{% set n.l = n.l + n.l %}{% endfor %}",
        "{% set n = namespace(l=[1]) %}" + LOOP + "{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}",
        "{% set n = namespace(l=[1], m=[1]) %}"
            + "{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% set n.m = [n.m, n.m] %}{% endfor %}"
            + "{{ n.l == n.m }}",
        "{% set n = namespace(l=[1]) %}"
            + "{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l | tojson }}",
        "{% set n = namespace(l=[1]) %}" + LOOP + "{% set n.l = [n.l] %}{% endfor %}{{ n.l }}",
        "{% set n = namespace(l=[1]) %}"
            + LOOP
            + "{% set n.l = [n.l] %}{% endfor %}{{ n.l | tojson }}",
        "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
        "{{ 9 ** (9 ** 9) }}",
        "{{ 10 ** 99999999 }}",
        "{% set n = namespace(i=7) %}" + LOOP + "{% set n.i = n.i * n.i %}{% endfor %}",
        "{{ '%99999999d' % 1 }}",
        "{{ '{:9999999}'.format(1) }}",
        "{{ 'a'.ljust(999999999) }}",
        "{{ '1'.zfill(999999999) }}",
        "{{ 'a' | indent(999999999, true) }}",
        "{{ [1] | batch(999999999, 0) | list }}",
        "{{ range(1000000000) | list }}",
        "{% set s = 'ab' * 1000000 %}" + LOOP + "{{ 'c' in s }}{% endfor %}",
        "{% set s = 'ab' * 1000000 %}" + LOOP + "{{ s.count('c') }}{{ s | upper }}{% endfor %}",
        "{% set s = range(99999) | list %}" + LOOP + "{{ -1 in s }}{{ s | max }}{% endfor %}",
        "{% set s = 'ab' * 1000000 %}"
            + LOOP
            + "{% set t = s[1:] %}{% set u = s | length %}{% endfor %}",
      })
  void ends_with_an_error(String source) {
    Assertions.assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () ->
            assertThatExceptionOfType(TemplateException.class)
                .isThrownBy(() -> Template.parse(source, "hostile").render(Map.of()))
                .withMessageStartingWith("hostile: ")
                .withMessageContaining("line 1"));
  }

  @Test
  void deep_sources_are_errors() {
    for (String deep :
        List.of(
            "{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) + " }}",
            "{{ " + "[".repeat(100_000) + "]".repeat(100_000) + " }}",
            "{{ " + "not ".repeat(100_000) + "1 }}",
            "{{ " + "- ".repeat(100_000) + "1 }}",
            "{% if 1 %}".repeat(100_000),
            "{% if 1 %}" + "{% elif 1 %}".repeat(100_000) + "{% endif %}",
            "{% for x in y %}".repeat(100_000),
            "{% set " + "(".repeat(100_000) + "x" + ")".repeat(100_000) + " = 1 %}",
            "{{ a" + " if a else a".repeat(100_000) + " }}")) {
      assertThatExceptionOfType(TemplateException.class)
          .isThrownBy(() -> Template.parse(deep, "deep"))
          .withMessageContaining("nested");
    }
    String long_ = "{{ " + "1 + ".repeat(50_000) + "1 }}";
    assertThatExceptionOfType(TemplateException.class)
        .isThrownBy(() -> Template.parse(long_, "long").render(Map.of()));
    assertThatExceptionOfType(TemplateException.class)
        .isThrownBy(() -> Template.parse("a".repeat(5_000_000), "large"));
  }

  @Test
  void cut_and_changed_templates_render_or_give_one_kind_of_error() {
    Random random = new Random(7);
    String whole =
        "{% macro m(a, b=1) -%}{{ a|default('x')|upper ~ b }}{%- endmacro %}\n"
            + "{% for k, v in d.items() if v is not none %}{{ loop.index }}{{ m(k, b=v[1:-1:2]) }}"
            + "{% set ns.x = ns.x + 1 %}{% else %}{% endfor %}{# c #}{{ {'a': [1, (2, 3.5e1)]}['a'][0] }}"
            + "{% raw %}{{{% endraw %}{{ 'q' if x in [1] and not y or z else '%s' % 5 }}";
    List<Object> items = new ArrayList<>(List.of("abc", 1));
    Map<String, Object> values = Map.of("d", Map.of("k", "value", "l", items), "x", 1);
    for (int i = 0; i < 4_000; i++) {
      StringBuilder source = new StringBuilder(whole);
      for (int changes = random.nextInt(3); changes >= 0; changes--) {
        int at = random.nextInt(source.length() + 1);
        switch (random.nextInt(3)) {
          case 0 -> source.delete(at, at + 1);
          case 1 -> source.insert(at, "{}%#|()[]'\"-.,:~ \n".charAt(random.nextInt(18)));
          default -> source.setLength(Math.max(1, at));
        }
      }
      try {
        assertThat(Template.parse(source.toString(), "changed").render(values)).isNotNull();
      } catch (TemplateException e) {
        assertThat(e.line()).isPositive();
      } catch (RuntimeException e) {
        throw new AssertionError(source.toString(), e);
      }
    }
  }
}
