// The clients under test: how each is run, and what it says of each request, in one form:
// { id, sent (monotonic or any other origin, ns), ttft (ms), gaps (ms, between content events), received? (Unix ns) }.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readLines } from "./lines.mjs";

const INPUT_TOKENS = 64;

/** The numbers of a gaps file: seven bits a byte, the lowest first; how many, then each, for every request. */
function* readGaps(path) {
  const bytes = readFileSync(path);
  let at = 0;
  const number = () => {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) yield Float64Array.from({ length: number() }, () => number() / 1e6);
}

export const dyno = (program) => ({
  name: "dyno",
  command: (shape, urls, folder) => {
    const load = shape.rate ? ["--rate", shape.rate, "--max-in-flight", 4096] : ["--concurrency", shape.streams];
    const args = ["load", ...urls.flatMap((url) => ["--base-url", url]), "--model", "m", ...load, "--num-requests", shape.requests, "--warmup-requests", 0,
      "--input-tokens", INPUT_TOKENS, "--output-tokens", shape.output, "--self-check", "off", "--ignore-eos", "--requests", join(folder, "requests.ndjson")];
    if (shape.workers) args.push("--workers", shape.workers);
    return { program, args: args.map(String) };
  },
  *read(folder) {
    const gaps = readGaps(join(folder, "requests.ndjson.gaps"));
    for (const line of readLines(join(folder, "requests.ndjson"))) {
      const record = JSON.parse(line);
      const { value } = gaps.next();
      if (record.error_class) continue;
      yield {
        id: record.id,
        sent: record.sent_unix_ns,
        scheduled: record.scheduled_unix_ns,
        ttft: record.ttft_ms,
        gaps: value,
        received: record.first_content_unix_ns,
      };
    }
  },
});

/** vLLM's client takes a role chunk for the first token and counts the finish chunk: only gaps between content are compared. */
export const vllm = (program) => ({
  name: "vllm-rs",
  command: (shape, [url], folder) => {
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer()));
    const load = shape.rate ? ["--request-rate", shape.rate] : ["--max-concurrency", shape.streams];
    const args = ["bench", "serve", "--backend", "openai-chat", "--base-url", url, "--endpoint", "/v1/chat/completions", "--model", "m",
      "--tokenizer", folder, "--dataset-name", "random", "--random-input-len", INPUT_TOKENS, "--random-output-len", shape.output,
      "--num-prompts", shape.requests, ...load, "--ignore-eos", "--request-id-prefix", "bench", "--disable-tqdm", "--no-steady-state",
      "--save-result", "--save-detailed", "--result-dir", folder, "--result-filename", "result.json"];
    return { program, args: args.map(String), env: { HF_HUB_OFFLINE: "1" } };
  },
  *read(folder, truth) {
    const result = JSON.parse(readFileSync(join(folder, "result.json"), "utf8"));
    for (let number = 0; number < result.ttfts.length; number++) {
      if (result.errors[number]) continue;
      const id = `bench${number}`;
      const known = truth.byId.get(id);
      const all = result.itls[number];
      // several chunks that came in one read may be one for it
      const whole = known && all.length === known.chunks - 1;
      const gaps = whole ? all.slice(known.firstContent, known.firstContent + known.content.length - 1).map((s) => s * 1e3) : null;
      yield { id, sent: result.start_times[number] * 1e9, ttft: result.ttfts[number] * 1e3, gaps };
    }
  },
});

/** One token a word, as the reference engine counts. */
function tokenizer() {
  const vocab = { "<unk>": 0 };
  for (let number = 1; number <= 4096; number++) vocab[`w${number.toString(36)}`] = number;
  const model = { type: "WordLevel", vocab, unk_token: "<unk>" };
  const none = { truncation: null, padding: null, added_tokens: [], normalizer: null, post_processor: null, decoder: null };
  return { version: "1.0", ...none, pre_tokenizer: { type: "WhitespaceSplit" }, model };
}
