// The test cluster that scripts/kubernetes/up.sh started, from the outside.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const folder = process.env.DYNO_TEST_CLUSTER ?? "/tmp/dyno-kubernetes";
export const kubeconfig = readFileSync(join(folder, "admin.kubeconfig"), "utf8");
export const models = join(folder, "models");
export const namespace = "dyno-end-to-end";

const scripts = resolve(import.meta.dirname, "..");
export const programs = execFileSync(join(scripts, "programs.sh"), { encoding: "utf8" }).trim();
export const environment = { ...process.env, KUBECONFIG: join(folder, "admin.kubeconfig") };

export function kubectl(...args) {
  return execFileSync(join(programs, "kubectl"), args, { encoding: "utf8", env: environment });
}

export function helm(...args) {
  const program = execFileSync(join(scripts, "helm.sh"), { encoding: "utf8" }).trim();
  return execFileSync(program, args, { encoding: "utf8", env: environment });
}

export function apply(object) {
  execFileSync(join(programs, "kubectl"), ["apply", "-f", "-"], { input: JSON.stringify(object), env: environment });
}

/** Everything in the tests' namespace that is not the cluster's own. */
export function objects() {
  const listed = kubectl("get", "all,secrets,configmaps,persistentvolumeclaims", "-n", namespace, "-o", "name");
  return listed.split("\n").filter((name) => name !== "" && name !== "configmap/kube-root-ca.crt");
}

/** The runs' pods of a kind: `engine`, `load`. */
export function pods(component) {
  const selector = `app.kubernetes.io/managed-by=dyno,app.kubernetes.io/component=${component}`;
  return kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "name").split("\n").filter((name) => name !== "");
}

/** Stops one of the cluster's programs where it stands, or lets it go on. */
export function signal(name, which) {
  process.kill(Number(readFileSync(join(folder, "pid", name), "utf8")), which);
}
