package org.peft4j.text;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.text.jinja.Template;

/**
 * How a model wants to read a conversation: a Jinja template that turns messages into text with the
 * same bytes as {@code apply_chat_template} of Hugging Face's transformers.
 *
 * <pre>{@code
 * var chat = ChatTemplate.load(folder);
 * String prompt = chat.render(List.of(Message.user("What is copper?")), true);
 * }</pre>
 *
 * <p>The text holds the special tokens already: encode it with {@link Tokenizer#withSpecialTokens
 * withSpecialTokens(false)}.
 */
public final class ChatTemplate implements ChatFormat {
  private static final String FOR_TOOLS = "tool_use";

  private final Map<String, Template> templates;
  private final Map<String, String> specialTokens;

  private ChatTemplate(Map<String, Template> templates, Map<String, String> specialTokens) {
    this.templates = templates;
    this.specialTokens = Map.copyOf(specialTokens);
  }

  /**
   * Reads a template.
   *
   * @param specialTokens what the template knows as {@code bos_token}, {@code eos_token} and so on
   * @throws org.peft4j.text.jinja.TemplateException that names the line and what is wrong there
   */
  public static ChatTemplate of(String template, Map<String, String> specialTokens) {
    return new ChatTemplate(
        Map.of(ChatTemplateFiles.DEFAULT, Template.parse(template, "chat template")),
        specialTokens);
  }

  /**
   * Reads the template of a model's folder: {@code chat_template.jinja}, or what {@code
   * tokenizer_config.json} or {@code chat_template.json} hold.
   *
   * @throws IllegalArgumentException when there is none, or it cannot be read
   */
  public static ChatTemplate load(Path folder) {
    try {
      Map<String, Template> templates = ChatTemplateFiles.read(folder);
      if (templates.isEmpty()) {
        throw new IllegalArgumentException(
            folder
                + ": no chat template\nexpected: chat_template.jinja, or chat_template in"
                + " tokenizer_config.json\nfix: a base model has none; prompt it with plain text,"
                + " or give a template to ChatTemplate.of");
      }
      return new ChatTemplate(templates, SpecialTokens.read(folder));
    } catch (IOException e) {
      throw new UncheckedIOException(folder + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** The conversation as text. */
  public String render(List<Message> messages) {
    return render(messages, false);
  }

  /**
   * The conversation as text.
   *
   * @param addGenerationPrompt whether the text ends where the model's next answer begins
   */
  @Override
  public String render(List<Message> messages, boolean addGenerationPrompt) {
    return render(messages, addGenerationPrompt, Map.of());
  }

  /**
   * The conversation as text, with more for the template to read: {@code tools} (a list of JSON
   * schemas as maps), {@code documents}, {@code enable_thinking}, or what else it knows. With tools
   * a template named {@code tool_use} is taken where there is one.
   *
   * @throws org.peft4j.text.jinja.TemplateException when the template refuses the messages, with
   *     its own words
   */
  public String render(
      List<Message> messages,
      boolean addGenerationPrompt,
      Map<String, ? extends @Nullable Object> extra) {
    Map<String, @Nullable Object> values = new LinkedHashMap<>(specialTokens);
    values.put("tools", null);
    values.put("documents", null);
    values.putAll(extra);
    values.put("messages", messages.stream().map(Message::values).toList());
    values.put("add_generation_prompt", addGenerationPrompt);
    return template(values.get("tools") != null).render(values);
  }

  private Template template(boolean tools) {
    Template special = tools ? templates.get(FOR_TOOLS) : null;
    Template template = special != null ? special : templates.get(ChatTemplateFiles.DEFAULT);
    if (template == null) {
      throw new IllegalStateException(
          "no chat template named \"%s\"\nfound: %s"
              .formatted(ChatTemplateFiles.DEFAULT, templates.keySet()));
    }
    return template;
  }

  @Override
  public String toString() {
    return "chat template: %s"
        .formatted(String.join(", ", templates.keySet().stream().sorted().toList()));
  }
}
