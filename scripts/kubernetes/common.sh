# What the scripts of the test cluster share; sourced, not run.
CLUSTER=${DYNO_TEST_CLUSTER:-/tmp/dyno-kubernetes}
CACHE=${DYNO_TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dyno}
API_PORT=${DYNO_TEST_API_PORT:-16443}
# The API server's own address, on a device of its own: loopback can't be reached from a pod.
API_ADDRESS=10.99.0.100
ENGINE_IMAGE=dyno.test/llama-server:1
export KUBECONFIG=$CLUSTER/admin.kubeconfig

# Starts a program in the background, in a session of its own: NAME PROGRAM ARGUMENTS…
start() {
  local name=$1
  shift
  setsid "$@" > "$CLUSTER/log/$name" 2>&1 < /dev/null &
  echo $! > "$CLUSTER/pid/$name"
}

# Ends what `start` started, by its process number, and waits for it.
stop() {
  local file=$CLUSTER/pid/$1 pid
  [ -f "$file" ] || return 0
  pid=$(cat "$file")
  kill "$pid" 2> /dev/null || true
  for _ in $(seq 100); do kill -0 "$pid" 2> /dev/null || break; sleep 0.1; done
  kill -KILL "$pid" 2> /dev/null || true
  rm -f "$file"
}

# Asks until the answer is yes: SECONDS WHAT COMMAND…
wait_for() {
  local limit=$1 what=$2
  shift 2
  for _ in $(seq $((limit * 5))); do
    if "$@" > /dev/null 2>&1; then return 0; fi
    sleep 0.2
  done
  echo "$what did not come up within $limit s; see $CLUSTER/log." >&2
  return 1
}

# NAME TOKEN: a kubeconfig for the test cluster.
kubeconfig() {
  cat > "$CLUSTER/$1.kubeconfig" << YAML
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: https://$API_ADDRESS:$API_PORT
    certificate-authority-data: $(base64 -w0 < "$CLUSTER/certificates/apiserver.crt")
users:
- name: $1
  user:
    token: $2
contexts:
- name: test
  context: {cluster: test, user: $1}
YAML
}
