package org.peft4j.cli;

import ai.djl.nn.Block;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.peft4j.Models;
import org.peft4j.data.Conversation;
import org.peft4j.data.Conversations;
import org.peft4j.generate.Generated;
import org.peft4j.generate.Generator;
import org.peft4j.notebook.Progress;
import org.peft4j.text.Message;
import org.peft4j.text.Tokenizer;
import org.peft4j.train.Scores;

/** What a language model answers to the questions of rows, greedily, beside the right answers. */
record Answers(List<Answer> all) {
  private static final int TOGETHER = 8;

  /** One of them. */
  record Answer(String question, String expected, String given) {
    boolean right() {
      return given.strip().equals(expected.strip());
    }
  }

  Answers {
    all = List.copyOf(all);
  }

  /** Asks {@code model} what comes before the first turn of the assistant in each row. */
  static Answers of(
      Block model, Tokenizer tokenizer, Conversations rows, int maxTokens, String name) {
    List<List<Message>> asked = new ArrayList<>();
    List<Answer> out = new ArrayList<>();
    for (Conversation row : rows) {
      List<Message> messages = ((Conversation.Chat) row).messages();
      List<Message> before = messages.stream().takeWhile(m -> !Conversation.isAnswer(m)).toList();
      asked.add(before);
      out.add(
          new Answer(
              before.get(before.size() - 1).content(), messages.get(before.size()).content(), ""));
    }
    Generator generator = Models.generator(model).maxTokens(maxTokens);
    try (Progress bar = Progress.of(name, asked.size())) {
      for (int from = 0; from < asked.size(); from += TOGETHER) {
        int to = Math.min(asked.size(), from + TOGETHER);
        long[][] prompts =
            asked.subList(from, to).stream().map(m -> prompt(tokenizer, m)).toArray(long[][]::new);
        List<Generated> texts = generator.run(prompts);
        for (int i = from; i < to; i++) {
          Answer a = out.get(i);
          out.set(i, new Answer(a.question, a.expected, texts.get(i - from).text()));
        }
        bar.at(to);
      }
    }
    return new Answers(out);
  }

  /** As training writes it: by the chat template, or the contents in a row. */
  private static long[] prompt(Tokenizer tokenizer, List<Message> messages) {
    return tokenizer.hasChatTemplate()
        ? tokenizer.encode(messages, true).ids()
        : tokenizer
            .encode(messages.stream().map(Message::content).collect(Collectors.joining()))
            .ids();
  }

  /** Share of answers that are right to the letter, white space around them aside. */
  double exactMatch() {
    return Scores.exactMatch(
            all.stream().map(Answer::given).toList(), all.stream().map(Answer::expected).toList())
        .main();
  }

  long right() {
    return all.stream().filter(Answer::right).count();
  }
}
