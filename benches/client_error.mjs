// Joins a client's request records with the reference engine's truth log and prints the client's error:
// how long after the engine wrote the first and the last content event the client says it arrived, in ms.
import { readFileSync } from "node:fs";

const [truthFile, requestsFile] = process.argv.slice(2);
const lines = (file) => readFileSync(file, "utf8").trim().split("\n");
// Nanoseconds since 1970 are beyond a double's exact integers: they are read as big integers.
const big = (line, key) => BigInt(new RegExp(`"${key}":(\\d+)`).exec(line)?.[1] ?? 0);

const truth = new Map();
for (const line of lines(truthFile)) {
  const record = JSON.parse(line);
  const stamps = /"unix_ns":\[([\d,]*)\]/.exec(line)[1].split(",").map(BigInt);
  const content = stamps.filter((_, index) => record.kinds[index] === "c");
  if (content.length) truth.set(record.request_id, [content[0], content.at(-1)]);
}
const errors = { first: [], last: [] };
for (const line of lines(requestsFile)) {
  const record = JSON.parse(line);
  const known = truth.get(record.id);
  if (record.phase !== "measured" || record.error_class || !known) continue;
  errors.first.push(Number(big(line, "first_content_unix_ns") - known[0]) / 1e6);
  errors.last.push(Number(big(line, "last_content_unix_ns") - known[1]) / 1e6);
}
for (const [name, values] of Object.entries(errors)) {
  values.sort((a, b) => a - b);
  const at = (p) => values[Math.min(values.length - 1, Math.floor(p * values.length))]?.toFixed(4) ?? "none";
  console.log(`error of the ${name} content event, ms: p50 ${at(0.5)}  p99 ${at(0.99)}  max ${at(1)}  n ${values.length}`);
}
