package org.peft4j.adapter;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.peft4j.format.AtomicFiles;

/**
 * The README.md beside an adapter: what it is and how it is loaded, with the header that Hugging
 * Face's hub reads. A card that is there stays.
 */
final class ModelCard {
  private static final Map<String, String> PIPELINES =
      Map.of(
          "SEQ_CLS", "text-classification",
          "TOKEN_CLS", "token-classification",
          "QUESTION_ANS", "question-answering",
          "CAUSAL_LM", "text-generation",
          "FEATURE_EXTRACTION", "feature-extraction");
  private static final Map<String, String> PYTHON =
      Map.of(
          "SEQ_CLS", "AutoModelForSequenceClassification",
          "TOKEN_CLS", "AutoModelForTokenClassification",
          "QUESTION_ANS", "AutoModelForQuestionAnswering",
          "CAUSAL_LM", "AutoModelForCausalLM",
          "SEQ_2_SEQ_LM", "AutoModelForSeq2SeqLM",
          "FEATURE_EXTRACTION", "AutoModel");

  private ModelCard() {}

  static void write(Path file, Adapter adapter, PeftModel model, AdapterConfig.About about)
      throws IOException {
    if (Files.exists(file)) {
      return;
    }
    String base = about.base();
    boolean published = isPublished(about);
    StringBuilder s = new StringBuilder("---\n");
    if (published) { // the hub refuses what is none of its names
      s.append("base_model: ").append(base).append('\n');
    }
    s.append("library_name: peft\n");
    String pipeline = about.taskType() == null ? null : PIPELINES.get(about.taskType());
    if (pipeline != null) {
      s.append("pipeline_tag: ").append(pipeline).append('\n');
    }
    s.append("tags:\n- ").append(adapter.reparam.name()).append("\n- peft4j\n");
    if (published) {
      s.append("- base_model:adapter:").append(base).append('\n');
    }
    s.append("---\n\n# ").append(adapter.reparam.peftType()).append(" adapter\n\n");
    s.append("| | |\n|---|---|\n");
    row(s, "method", adapter.reparam.name() + ", " + adapter.reparam.summary());
    row(s, "base model", about.base() == null ? "not named" : about.base());
    row(s, "sites", String.valueOf(adapter.adapted().size()));
    row(s, "trained parameters", String.format(Locale.ROOT, "%,d", adapter.trainable()));
    if (!adapter.placement.modulesToSave().isEmpty()) {
      row(s, "modules trained as a whole", String.join(", ", adapter.placement.modulesToSave()));
    }
    load(s, adapter, about);
    AtomicFiles.writeString(file, s);
  }

  private static boolean isPublished(AdapterConfig.About about) {
    return about.base() != null && about.base().matches("[\\w.-]+/[\\w.-]+");
  }

  private static void load(StringBuilder s, Adapter adapter, AdapterConfig.About about) {
    boolean published = isPublished(about);
    String model = about.base() == null ? "base-model" : about.base();
    s.append("\n## How to load it\n\nWith peft4j, in Java:\n\n```java\n");
    s.append("var model = Models.load(\"")
        .append(published ? "hub:" : "")
        .append(model)
        .append("\");\n");
    s.append("var tuned = Peft.load(model, Path.of(\"this-directory\"));\n```\n");
    String python = PYTHON.get(String.valueOf(about.taskType()));
    boolean ownHead = !adapter.placement.modulesToSave().isEmpty(); // which only we can rebuild
    if (python != null
        && published
        && !ownHead
        && HuggingFaceTypes.has(adapter.reparam.peftType())) {
      s.append("\nWith Hugging Face PEFT, in Python:\n\n```python\nfrom peft import PeftModel\n")
          .append("from transformers import ")
          .append(python)
          .append("\n\nbase = ")
          .append(python)
          .append(".from_pretrained(\"")
          .append(model)
          .append('"')
          .append(")\nmodel = PeftModel.from_pretrained(base, \"this-directory\")\n```\n");
    }
    s.append("\nMade with peft4j.\n");
  }

  private static void row(StringBuilder s, String key, String value) {
    s.append("| ").append(key).append(" | ").append(value).append(" |\n");
  }
}
