// A client's records against the truth.

/** Percentile by the nearest rank, of values that get sorted. */
function spread(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return sorted.length ? { p50: at(0.5), p99: at(0.99), max: sorted.at(-1), n: sorted.length } : null;
}

/**
 * - `ttft`: client's TTFT − the engine's (first content event written − request received), ms: with what lies between
 *   send and receipt, wherever the time went;
 * - `stamp`: receive time − the engine's write of the same event, ms, where the client tells absolute times;
 * - `itl`: |client's gap − the engine's|, ms, every gap;
 * - `lag`: sent − planned, ms; `rate`: requests sent per second, against the drawn schedule where the client tells it.
 */
export function figures(records, truth) {
  const [ttft, stamp, itl, lag, sent, planned] = [[], [], [], [], [], []];
  let [joined, unmatched] = [0, 0];
  for (const record of records) {
    const known = truth.byId.get(record.id);
    if (!known) continue;
    joined += 1;
    ttft.push(Math.abs(record.ttft - (known.content[0] - known.received) / 1e6));
    if (record.received) stamp.push(Math.abs(record.received - known.firstUnix) / 1e6);
    sent.push(record.sent);
    if (record.scheduled) {
      planned.push(record.scheduled);
      lag.push((record.sent - record.scheduled) / 1e6);
    }
    if (record.gaps?.length === known.content.length - 1) {
      record.gaps.forEach((gap, index) => itl.push(Math.abs(gap - (known.content[index + 1] - known.content[index]) / 1e6)));
    } else {
      unmatched += 1;
    }
  }
  const rate = (times) => {
    const [first, last] = [times.reduce((a, b) => Math.min(a, b), Infinity), times.reduce((a, b) => Math.max(a, b), -Infinity)];
    return ((times.length - 1) * 1e9) / (last - first);
  };
  const late = [...truth.byId.values()].map((known) => known.late);
  return {
    joined,
    unmatched,
    ttft: spread(ttft),
    stamp: spread(stamp),
    itl: spread(itl),
    lag: spread(lag),
    rate: rate(sent),
    drawn: planned.length ? rate(planned) : null,
    late: spread(late),
  };
}
