// The table of one shape, a row for each run.

const fixed = (value, digits) => (value == null || Number.isNaN(value) ? "–" : value.toFixed(digits));
/** Errors to the microsecond while they are small. */
const ms = (value) => (value == null ? "–" : value.toFixed(value < 10 ? 3 : 0));
const spread = (of) => (of ? `${ms(of.p50)} / ${ms(of.p99)} / ${ms(of.max)}` : "–");
const percent = (share) => (Number.isNaN(share) ? "–" : `${Math.round(share * 100)} %`);

const columns = [
  ["client", (row) => row.client],
  ["TTFT error ms p50/p99/max", (row) => spread(row.ttft)],
  ["of the stamp", (row) => spread(row.stamp)],
  ["ITL error ms p50/p99/max", (row) => spread(row.itl)],
  ["CPU s/M tok", (row) => fixed(row.cpuPerMillion, 2)],
  ["in the load", (row) => fixed(row.loadCpuPerMillion, 2)],
  ["RSS MB", (row) => fixed(row.peakMb, 0)],
  ["tok/s", (row) => Math.round(row.tokensPerS).toLocaleString("en")],
  ["streams", (row) => String(row.peak)],
  ["engine CPU", (row) => percent(row.engineShare)],
  ["client CPU", (row) => percent(row.clientShare)],
  ["engine late ms p99", (row) => ms(row.late?.p99)],
];

export function table(shape, rows) {
  const header = columns.map(([title]) => title);
  const cells = [header, ...rows.map((row) => columns.map(([, cell]) => cell(row)))];
  const widths = header.map((_, index) => Math.max(...cells.map((line) => line[index].length)));
  const lines = cells.map((line) => line.map((cell, index) => (index ? cell.padStart(widths[index]) : cell.padEnd(widths[index]))).join("  "));
  return [shape.name, ...lines.map((line) => `  ${line}`), ...notes(shape, rows).map((line) => `  ${line}`), ""].join("\n");
}

/** What TLS adds to the CPU time of a token, by client: medians of the same load with and without. */
export function tlsCost(plain, tls) {
  const median = (rows, name) => {
    const values = rows.filter((row) => row.client === name).map((row) => row.loadCpuPerMillion).sort((a, b) => a - b);
    return values[Math.floor((values.length - 1) / 2)];
  };
  const ratio = (name) => ` ${name} ${fixed(median(tls, name) / median(plain, name), 2)} × CPU per token`;
  return [...new Set(tls.map((row) => row.client))].map(ratio).join(",");
}

function notes(shape, rows) {
  const lines = [];
  const median = (name, value) => {
    const values = rows.filter((row) => row.client === name).map(value).sort((a, b) => a - b);
    return values[Math.floor((values.length - 1) / 2)];
  };
  if (rows.some((row) => row.client !== "dyno")) {
    const ratio = (value) => (median("dyno", value) / median("vllm-rs", value)).toFixed(2);
    lines.push(`dyno / vllm-rs: CPU per token ${ratio((row) => row.cpuPerMillion)}, tokens/s ${ratio((row) => row.tokensPerS)}, memory ${ratio((row) => row.peakMb)}`);
  }
  for (const row of rows) {
    if (row.unmatched) lines.push(`${row.client}: ${row.unmatched} requests of another number of chunks than were sent: their gaps are not compared`);
    if (shape.rate) {
      const of = row.drawn ? ` of ${row.drawn.toFixed(3)} drawn (${((row.rate / row.drawn - 1) * 100).toFixed(4)} %)` : ` of ${shape.rate} asked for`;
      const lag = row.lag ? `; schedule lag ms p50/p99/max ${spread(row.lag)}` : "";
      lines.push(`${row.client}: ${row.rate.toFixed(3)} requests/s sent${of}${lag}`);
    }
  }
  const { ttft, itl, lag } = shape.marks ?? {};
  for (const row of rows.filter((row) => row.client === "dyno")) {
    const missed = [["TTFT error", row.ttft?.p99, ttft], ["ITL error", row.itl?.p99, itl], ["schedule lag", row.lag?.p99, lag]]
      .filter(([, value, mark]) => mark != null && !(value <= mark))
      .map(([what, value, mark]) => `${what} p99 ${ms(value)} ms over ${mark}`);
    if (missed.length) lines.push(`MISSED: ${missed.join(", ")}`);
  }
  return lines;
}
