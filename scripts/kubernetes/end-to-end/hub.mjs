// Stands in for a model hub: one repository with one file, as the hub's HTTP API has them. Listens on the test cluster's own address,
// which pods reach; the public hub is not asked.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

const ADDRESS = "10.99.0.100";
const CHUNK = 1 << 20;

export class HubStandIn {
  /** Bytes of the file that were sent. */
  bytes = 0;
  /** How often a part of it was asked for. */
  resumed = 0;
  /** Bytes per second. */
  speed = 20 << 20;
  #server;
  #content;
  #commit = "0123456789abcdef0123456789abcdef01234567";

  static async open(repository, name, content) {
    const hub = new HubStandIn();
    Object.assign(hub, { repository, name });
    hub.#content = content;
    hub.sha256 = createHash("sha256").update(content).digest("hex");
    hub.#server = createServer((request, answer) => hub.#answer(request, answer).catch(() => answer.destroy()));
    hub.#server.listen(0, ADDRESS);
    await once(hub.#server, "listening");
    hub.url = `http://${ADDRESS}:${hub.#server.address().port}`;
    return hub;
  }

  /** Another commit, whose file is not what its digest says. */
  corrupt() {
    this.#commit = "f".repeat(40);
    this.#content = Buffer.from(this.#content);
    this.#content[this.#content.length - 1] ^= 1;
  }

  /** Waits until so large a part of the file was sent. */
  async sent(part) {
    while (this.bytes < part * this.#content.length) await sleep(50);
  }

  async #answer(request, answer) {
    const { pathname } = new URL(request.url, this.url);
    if (pathname === `/api/models/${this.repository}/revision/main`) {
      const size = this.#content.length;
      const siblings = [{ rfilename: this.name, size, lfs: { sha256: this.sha256, size } }];
      answer.setHeader("content-type", "application/json");
      answer.end(JSON.stringify({ sha: this.#commit, siblings }));
    } else if (pathname === `/${this.repository}/resolve/${this.#commit}/${this.name}`) {
      await this.#send(request, answer);
    } else {
      answer.statusCode = 404;
      answer.end();
    }
  }

  async #send(request, answer) {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const { length } = this.#content;
    if (from > 0) {
      this.resumed++;
      answer.statusCode = 206;
      answer.setHeader("content-range", `bytes ${from}-${length - 1}/${length}`);
    }
    answer.setHeader("content-length", length - from);
    const parts = async function* () {
      for (let at = from; at < length; at += CHUNK) {
        const part = this.#content.subarray(at, at + CHUNK);
        this.bytes += part.length;
        yield part;
        if (Number.isFinite(this.speed)) await sleep((part.length / this.speed) * 1000);
      }
    };
    await pipeline(parts.call(this), answer);
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
