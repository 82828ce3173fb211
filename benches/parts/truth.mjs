// What the reference engine says that it did.
import { readLines } from "./lines.mjs";

/** Kinds of events that a client may take for chunks of an answer. */
const CHUNKS = "recf";

/**
 * @param {string[]} files of one engine each
 * Each request by its id, with monotonic times in ns, and figures of all together. Unix times are beyond a double's exact
 * integers: they are kept to 256 ns.
 */
export function readTruth(files) {
  const byId = new Map();
  const edges = [];
  let tokens = 0;
  for (const file of files) for (const line of readLines(file)) {
    const record = JSON.parse(line);
    const of = (kinds) => [...record.kinds].flatMap((kind, index) => (kinds.includes(kind) ? [index] : []));
    const content = of("c");
    if (content.length === 0) continue;
    const chunks = of(CHUNKS);
    byId.set(record.request_id, {
      received: record.received_mono_ns,
      content: Float64Array.from(content, (index) => record.mono_ns[index]),
      firstUnix: record.unix_ns[content[0]],
      late: (record.mono_ns[content[0]] - record.due_mono_ns[content[0]]) / 1e6,
      chunks: chunks.length,
      /** Place of the first content event among the chunks. */
      firstContent: chunks.indexOf(content[0]),
    });
    for (const index of content) tokens += record.tokens[index];
    edges.push([record.received_mono_ns, 1], [record.mono_ns.at(-1), -1]);
  }
  edges.sort((a, b) => a[0] - b[0]);
  let [inFlight, peak] = [0, 0];
  for (const [, step] of edges) {
    inFlight += step;
    peak = Math.max(peak, inFlight);
  }
  const [begin, end] = [edges[0]?.[0] ?? 0, edges.at(-1)?.[0] ?? 0];
  return { byId, peak, tokens, begin, end, requests: byId.size };
}
