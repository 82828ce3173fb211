// A portal that the chart installed on the cluster, reached as its users reach it: by a forwarded port.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chownSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import * as cluster from "./cluster.mjs";
import { Portal, freePort, image, token } from "./portal.mjs";

const chart = resolve(import.meta.dirname, "../../../deploy/chart");
/** The user of the image. */
const USER = 65532;
const namespace = "dyno-installed";
const data = join(cluster.folder, "portal-data");

export class InstalledPortal extends Portal {
  namespace = namespace;
  #forward;

  static async open() {
    const portal = new InstalledPortal(await freePort());
    mkdirSync(data, { recursive: true });
    // A folder of a node is nobody's to be handed over, as another volume would be.
    chownSync(data, USER, USER);
    cluster.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    cluster.apply({
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: namespace },
      spec: {
        capacity: { storage: "10Gi" },
        accessModes: ["ReadWriteOnce"],
        claimRef: { namespace, name: "dyno-data" },
        hostPath: { path: data },
      },
    });
    cluster.apply({ apiVersion: "v1", kind: "Secret", metadata: { name: "access", namespace }, stringData: { "admin-token": token } });
    const [repository, tag] = image.split(":");
    const values = [`image.repository=${repository}`, `image.tag=${tag}`, "existingSecret=access", "resources.requests.cpu=50m"];
    cluster.helm("install", "dyno", chart, "-n", namespace, "--set", values.join(","), "--wait", "--timeout", "90s");
    portal.#forward = spawn(join(cluster.programs, "kubectl"), ["port-forward", "-n", namespace, "service/dyno", `${portal.port}:80`], {
      env: cluster.environment,
      stdio: "ignore",
    });
    assert.ok(await portal.answers(), "the portal does not answer");
    return portal;
  }

  close() {
    this.#forward.kill();
    cluster.helm("uninstall", "dyno", "-n", namespace);
    cluster.kubectl("delete", "namespace", namespace);
    cluster.kubectl("delete", "persistentvolume", namespace);
    rmSync(data, { recursive: true });
  }
}
