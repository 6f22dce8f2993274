package org.peft4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.peft4j.text.Message;

/** A row to learn language from. */
public sealed interface Conversation {
  /**
   * Turns of which those of the assistant are to be learned.
   *
   * @param messages at least one of them the assistant's
   */
  record Chat(List<Message> messages) implements Conversation {
    public Chat {
      messages = List.copyOf(messages);
      if (messages.stream().noneMatch(Conversation::isAnswer)) {
        throw new IllegalArgumentException(
            "a chat to learn from\nexpected: at least one message of the role assistant\nfound: "
                + messages.stream().map(Message::role).toList());
      }
    }
  }

  /** A text that is to be learned from its first word to its last. */
  record Text(String text) implements Conversation {
    public Text {
      if (text.isEmpty()) {
        throw new IllegalArgumentException("a text to learn from\nexpected: some\nfound: \"\"");
      }
    }
  }

  /** Whether a turn is one that a model is to learn: the assistant's. */
  static boolean isAnswer(Message turn) {
    return turn.role().equals("assistant");
  }

  /** A chat of these turns. */
  static Conversation of(Message... messages) {
    return new Chat(List.of(messages));
  }

  /** One question and its answer. */
  static Conversation of(String prompt, String completion) {
    return of(Message.user(prompt), Message.assistant(completion));
  }

  /** A plain text. */
  static Conversation text(String text) {
    return new Text(text);
  }

  /** What comes before the first turn of the assistant, or all of a plain text. */
  default String opening() {
    if (this instanceof Chat c) {
      return c.messages().stream()
          .takeWhile(m -> !isAnswer(m))
          .map(Message::content)
          .collect(Collectors.joining("\n"));
    }
    return ((Text) this).text();
  }

  /** The same chat behind a system message; a chat that has one, or a text, as it is. */
  default Conversation withSystem(String content) {
    if (this instanceof Chat c && !c.messages().get(0).role().equals("system")) {
      List<Message> all = new ArrayList<>();
      all.add(Message.system(content));
      all.addAll(c.messages());
      return new Chat(all);
    }
    return this;
  }
}
