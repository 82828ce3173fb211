// The test cluster that scripts/kubernetes/up.sh started, from the outside.

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const folder = process.env.DYNO_TEST_CLUSTER ?? "/tmp/dyno-kubernetes";
export const kubeconfig = readFileSync(join(folder, "admin.kubeconfig"), "utf8");
export const models = join(folder, "models");
export const namespace = process.env.DYNO_TEST_NAMESPACE ?? "dyno-end-to-end";

/** No call of these waits longer. */
const CALL_MS = 180_000;

const scripts = resolve(import.meta.dirname, "..");
export const programs = execFileSync(join(scripts, "programs.sh"), { encoding: "utf8" }).trim();
export const environment = { ...process.env, KUBECONFIG: join(folder, "admin.kubeconfig") };

export function kubectl(...args) {
  // the events of an hour of scenarios are more than the megabyte that is taken by default
  return execFileSync(join(programs, "kubectl"), args, { encoding: "utf8", env: environment, timeout: CALL_MS, maxBuffer: 64 << 20 });
}

export function helm(...args) {
  const program = execFileSync(join(scripts, "helm.sh"), { encoding: "utf8" }).trim();
  return execFileSync(program, args, { encoding: "utf8", env: environment, timeout: CALL_MS });
}

export function apply(object) {
  execFileSync(join(programs, "kubectl"), ["apply", "-f", "-"], { input: JSON.stringify(object), env: environment, timeout: CALL_MS });
}

/** Everything in a namespace that is not the cluster's own. */
export function objects(of = namespace) {
  const listed = kubectl("get", "all,secrets,configmaps,persistentvolumeclaims", "-n", of, "-o", "name");
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

/** Whether the cluster would make an object. */
export function wouldTake(object) {
  const input = JSON.stringify(object);
  const done = spawnSync(join(programs, "kubectl"), ["create", "--dry-run=server", "-f", "-"], { input, env: environment });
  return done.status === 0;
}

/** As draining a node does. */
export function evict(pod) {
  const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: pod, namespace } };
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`;
  execFileSync(join(programs, "kubectl"), ["create", "--raw", path, "-f", "-"], { input: JSON.stringify(eviction), env: environment });
}

/** What every object of the cluster is called; the cluster's own leases and events are none of them. */
export function everything() {
  return kubectl("get", "all,secrets,configmaps", "-A", "-o", "custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name", "--no-headers")
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter((line) => line !== "");
}

/** The service account `dyno` in the tests' namespace with the rights that the chart gives, as objects. */
function access() {
  const chart = resolve(scripts, "../../deploy/chart");
  return helm("template", "dyno", chart, "--kube-version", "1.27.0", "--namespace", namespace, "--show-only", "templates/access.yaml");
}

export function grantAccess() {
  execFileSync(join(programs, "kubectl"), ["apply", "-f", "-"], { input: access(), env: environment });
}

export function newToken() {
  return kubectl("create", "token", "dyno", "-n", namespace, "--duration=1h").trim();
}

/** Its tokens are worth nothing from then on. */
export function withdrawAccess() {
  kubectl("delete", "serviceaccount", "dyno", "-n", namespace);
}

export function removeAccess() {
  execFileSync(join(programs, "kubectl"), ["delete", "--ignore-not-found", "-f", "-"], { input: access(), env: environment });
}

/** The administrators' kubeconfig with another token. */
export function kubeconfigOf(withToken) {
  return kubeconfig.replace(/token: .*/, `token: ${withToken}`);
}
