// The loads of the table. Times in ms. `output` is tokens a request; `marks` are what Dyno is held to, where it is. With
// `workers`, so many processes put the load on against as many engines, and all may run on any core.

/** @typedef {{ name: string, ttft: number, itl: number, streams?: number, rate?: number, requests: number, output: number,
 *   eventsPerWrite?: number, tls?: boolean, workers?: number, marks?: { ttft?: number, itl?: number, lag?: number } }} Shape */

/** @type {Record<string, Shape>} */
export const shapes = {
  256: { name: "256 streams, 200/20 ms", ttft: 200, itl: 20, streams: 256, requests: 2560, output: 64, marks: { ttft: 0.1, itl: 0.1 } },
  1000: { name: "1,000 streams, 500/50 ms", ttft: 500, itl: 50, streams: 1000, requests: 4000, output: 64, marks: { ttft: 0.3, itl: 0.1 } },
  tls: { name: "1,000 streams, 500/50 ms, TLS", ttft: 500, itl: 50, streams: 1000, requests: 4000, output: 64, tls: true, marks: { ttft: 0.3, itl: 0.1 } },
  4000: { name: "4,000 streams, 500/50 ms", ttft: 500, itl: 50, streams: 4000, requests: 12_000, output: 64, marks: { ttft: 0.5, itl: 0.1 } },
  9500: { name: "9,500 streams, 2,000/200 ms, neither pinned to a core", ttft: 2000, itl: 200, streams: 9500, requests: 19_000, output: 24, workers: 1 },
  19000: { name: "19,000 streams, 2,000/200 ms, by two processes against two engines", ttft: 2000, itl: 200, streams: 19_000, requests: 38_000, output: 24, workers: 2 },
  10000: { name: "10,000 streams, 2,000/200 ms", ttft: 2000, itl: 200, streams: 10_000, requests: 20_000, output: 24 },
  fast: { name: "64 streams, as fast as possible, 1 event a write", ttft: 0, itl: 0, streams: 64, requests: 6000, output: 512 },
  coalesced: { name: "64 streams, as fast as possible, 64 events a write", ttft: 0, itl: 0, streams: 64, requests: 6000, output: 1024, eventsPerWrite: 64 },
  open: { name: "open loop, 1,000 requests/s, 200/20 ms", ttft: 200, itl: 20, rate: 1000, requests: 10_000, output: 16, marks: { ttft: 0.5, itl: 0.1, lag: 1 } },
};
