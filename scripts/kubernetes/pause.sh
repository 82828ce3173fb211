#!/usr/bin/env bash
# Writes the image of the container that holds a pod's network open: a program that waits. FILE
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/pause.c" << 'C'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int signal) { _exit(signal == SIGTERM || signal == SIGINT ? 0 : 1); }
static void reap(int signal) { (void)signal; while (waitpid(-1, 0, WNOHANG) > 0) {} }
int main(void) {
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
C
mkdir "$folder/layer"
cc -O2 -static -o "$folder/layer/pause" "$folder/pause.c"
tar -C "$folder/layer" --owner=0 --group=0 -cf "$folder/layer.tar" pause
digest=$(sha256sum "$folder/layer.tar" | cut -d' ' -f1)
cat > "$folder/config.json" << JSON
{"architecture": "$(dpkg --print-architecture)", "os": "linux", "config": {"Entrypoint": ["/pause"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$digest"]}, "history": []}
JSON
echo '[{"Config": "config.json", "RepoTags": ["dyno.test/pause:1"], "Layers": ["layer.tar"]}]' > "$folder/manifest.json"
tar -C "$folder" -cf "$1" manifest.json config.json layer.tar
