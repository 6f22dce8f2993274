// Asks llama.cpp what it makes of the LoRAs of gguf_lora_fixtures.py: toolkit/src/test/resources/gguf/lora/*-llama-cpp.json.
// Run it in a folder with node-llama-cpp, whose package brings llama.cpp along. The base is in float32, as llama.cpp
// rounds what goes into packed weights:
//   ./peft convert --model toolkit/src/test/resources/gguf/llama.gguf --out /tmp/base.gguf
//   npm install node-llama-cpp@3.22.1 && node llama_cpp.mjs REPOSITORY/toolkit/src/test/resources/gguf /tmp/base.gguf
// The files that are there now were made with node-llama-cpp 3.22.1 (llama.cpp v0.5.0).
import fs from "node:fs";
import path from "node:path";
import { getLlama } from "node-llama-cpp";

const [, , folder, base] = process.argv;
const ids = [3, 5, 8, 13, 21];
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error" });
console.log("llama.cpp", llama.llamaCppRelease);
const model = await llama.loadModel({ modelPath: base, gpuLayers: 0 });
for (const name of ["llama", "llama-scales"]) {
  const context = await model.createContext({
    contextSize: 256, threads: 1, flashAttention: false,
    experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32",
    lora: { adapters: [{ filePath: path.join(folder, "lora", `${name}.gguf`), scale: 1 }] },
  });
  const out = await context.getSequence().controlledEvaluate(ids.map((id) => [id, { generateNext: { probabilities: true } }]));
  const last = out[ids.length - 1].next.probabilities;
  const probabilities = Array.from({ length: last.size }, (_, token) => Number(last.get(token).toPrecision(7)));
  fs.writeFileSync(path.join(folder, "lora", `${name}-llama-cpp.json`), JSON.stringify({ input_ids: ids, probabilities }) + "\n");
  await context.dispose();
}
process.exit(0);
