package org.peft4j.model;

import java.util.List;

/**
 * GPT-3 (Brown et al., arXiv 2005.14165): GPT-2 with projections of their own for q, k and v, as
 * papers on adapters count it. Its weights were never published; its layers that see a band of
 * tokens only have the same sizes as the others and are not told apart.
 */
final class Gpt3 {
  static final Architecture ARCHITECTURE =
      new Architecture(
              "gpt3",
              "transformer",
              Llama.INPUTS,
              List.of("q", "v"),
              (config, pooled) -> new Gpt2(config, false))
          .dropouts("resid_pdrop", "embd_pdrop", "attn_pdrop")
          .tied()
          .classifiedBy(LastTokenHead::new);

  private Gpt3() {}
}
