package org.peft4j.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.text.jinja.TemplateException;

@Tag("fast")
class ChatTemplateTest {
  private static final List<Message> HELLO = List.of(Message.system("S"), Message.user("Hello"));

  @TempDir Path folder;

  private void write(String file, String text) {
    try {
      Path path = folder.resolve(file);
      Files.createDirectories(path.getParent());
      Files.writeString(path, text);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void renders_messages_with_special_tokens_and_prompt() {
    ChatTemplate chat =
        ChatTemplate.of(
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
                + "{% if add_generation_prompt %}[assistant]{% endif %}",
            Map.of("bos_token", "<s>"));
    assertThat(chat.render(HELLO)).isEqualTo("<s>[system]S[user]Hello");
    assertThat(chat.render(HELLO, true)).isEqualTo("<s>[system]S[user]Hello[assistant]");
    assertThat(chat).hasToString("chat template: default");
  }

  @Test
  void tools_and_what_else_a_template_knows_go_through_extra() {
    ChatTemplate chat =
        ChatTemplate.of(
            "{{ tools is none }}{% for t in tools or [] %}{{ t | tojson }}{% endfor %}{{ deep }}",
            Map.of());
    assertThat(chat.render(HELLO)).isEqualTo("True");
    assertThat(
            chat.render(
                HELLO, false, Map.of("tools", List.of(Map.of("n", 1)), "deep", new int[0].length)))
        .isEqualTo("False{\"n\": 1}0");
    assertThatExceptionOfType(TemplateException.class)
        .isThrownBy(() -> chat.render(HELLO, false, Map.of("deep", new Object())))
        .withMessageContaining("java.lang.Object")
        .withMessageContaining("expected: text, numbers");
  }

  @Test
  void fields_of_a_message_are_read_and_may_replace_its_content() {
    ChatTemplate chat =
        ChatTemplate.of(
            "{% for m in messages %}{{ m.content is none }}{{ m.tool_calls[0].name }}{% endfor %}",
            Map.of());
    Message call =
        Message.assistant("")
            .with("content", null)
            .with("tool_calls", List.of(Map.of("name", "weather")));
    assertThat(chat.render(List.of(call))).isEqualTo("Trueweather");
  }

  @Test
  void a_refusal_comes_with_the_template_s_own_words() {
    ChatTemplate chat =
        ChatTemplate.of("\n{{ raise_exception('no ' + messages[0].role) }}", Map.of());
    assertThatExceptionOfType(TemplateException.class)
        .isThrownBy(() -> chat.render(HELLO))
        .withMessage(
            "chat template: the template refuses these messages\nfound: no system\nline: 2")
        .matches(TemplateException::isRaised)
        .matches(e -> e.reason().equals("no system"));
  }

  @Test
  void a_template_that_cannot_be_read_is_an_error_with_line_and_construct() {
    assertThatExceptionOfType(TemplateException.class)
        .isThrownBy(() -> ChatTemplate.of("a\n{{ x | nosuch }}", Map.of()))
        .withMessage("chat template: No filter named 'nosuch'.\nline 2: {{ x | nosuch }}");
    assertThatExceptionOfType(TemplateException.class)
        .isThrownBy(() -> ChatTemplate.of("{% include 'x' %}", Map.of()))
        .withMessageContaining("'include' is not supported");
  }

  @Test
  void reads_tokenizer_config_with_tokens_as_strings_or_objects() {
    write(
        "tokenizer_config.json",
        """
        {"bos_token": {"content": "<b>", "special": true}, "eos_token": "<e>", "pad_token": null,
         "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token }}"}
        """);
    write("special_tokens_map.json", "{\"eos_token\": \"<x>\", \"pad_token\": \"<p>\"}");
    assertThat(ChatTemplate.load(folder).render(HELLO)).isEqualTo("<b>S<e><p>");
  }

  @Test
  void takes_the_template_for_tools_when_there_are_tools() {
    write(
        "tokenizer_config.json",
        "{\"chat_template\": [{\"name\": \"default\", \"template\": \"plain\"},"
            + " {\"name\": \"tool_use\", \"template\": \"tools\"}]}");
    ChatTemplate chat = ChatTemplate.load(folder);
    assertThat(chat.render(HELLO)).isEqualTo("plain");
    assertThat(chat.render(HELLO, false, Map.of("tools", List.of()))).isEqualTo("tools");
    assertThat(chat).hasToString("chat template: default, tool_use");
  }

  @Test
  void a_file_of_its_own_wins() {
    write("chat_template.json", "{\"chat_template\": \"json\"}");
    assertThat(ChatTemplate.load(folder).render(HELLO)).isEqualTo("json");
    write("tokenizer_config.json", "{\"chat_template\": \"config\"}");
    assertThat(ChatTemplate.load(folder).render(HELLO)).isEqualTo("config");
    write("chat_template.jinja", "file\r\n");
    write("additional_chat_templates/tool_use.jinja", "more");
    ChatTemplate chat = ChatTemplate.load(folder);
    assertThat(chat.render(HELLO)).isEqualTo("file");
    assertThat(chat.render(HELLO, false, Map.of("tools", List.of()))).isEqualTo("more");
  }

  @Test
  void says_what_is_missing_or_malformed() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ChatTemplate.load(folder))
        .withMessageContaining("no chat template")
        .withMessageContaining("fix: ");
    write("tokenizer_config.json", "{\"chat_template\": 1}");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ChatTemplate.load(folder))
        .withMessageContaining("found: 1");
    write("tokenizer_config.json", "{\"chat_template\": \"\", \"bos_token\": {\"id\": 1}}");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> ChatTemplate.load(folder))
        .withMessageContaining("bos_token");
  }
}
