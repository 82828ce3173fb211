"""llama-server's command line over the xllamacpp package.

Started by Dyno where no llama-server is installed. It takes the flags that Dyno's recipe gives and ends on SIGTERM.
"""

import argparse
import signal
import sys
import threading
from importlib.metadata import version


def arguments():
    parser = argparse.ArgumentParser(prog="llama-server", allow_abbrev=False)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("-m", "--model")
    parser.add_argument("-a", "--alias")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("-c", "--ctx-size", type=int, default=0)
    parser.add_argument("-np", "--parallel", type=int, default=1)
    parser.add_argument("-t", "--threads", type=int, default=-1)
    parser.add_argument("-tb", "--threads-batch", type=int, default=-1)
    parser.add_argument("--threads-http", type=int, default=-1)
    parser.add_argument("-b", "--batch-size", type=int, default=2048)
    parser.add_argument("-ub", "--ubatch-size", type=int, default=512)
    parser.add_argument("-ngl", "--n-gpu-layers", type=int, default=-1)
    parser.add_argument("--main-gpu", type=int, default=0)
    parser.add_argument("--cache-ram", type=int, default=8192)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--metrics", action="store_true")
    parser.add_argument("--embeddings", "--embedding", action="store_true")
    parser.add_argument("--no-cache-prompt", action="store_true")
    parser.add_argument("--no-warmup", action="store_true")
    parser.add_argument("--no-webui", action="store_true")
    return parser.parse_args()


def main():
    given = arguments()
    if given.version:
        print("version: xllamacpp " + version("xllamacpp"))
        return 0
    if not given.model:
        print("a model is needed: -m FILE", file=sys.stderr)
        return 2

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.model_alias = {given.alias} if given.alias else set()
    params.hostnames = [given.host]
    params.port = given.port
    params.n_ctx = given.ctx_size
    params.n_parallel = given.parallel
    params.n_threads_http = given.threads_http
    params.n_batch = given.batch_size
    params.n_ubatch = given.ubatch_size
    params.n_gpu_layers = given.n_gpu_layers
    params.main_gpu = given.main_gpu
    params.cache_ram_mib = given.cache_ram
    params.endpoint_metrics = given.metrics
    params.embedding = given.embeddings
    params.cache_prompt = not given.no_cache_prompt
    params.warmup = not given.no_warmup
    params.ui = not given.no_webui
    params.cpuparams.n_threads = given.threads
    params.cpuparams_batch.n_threads = given.threads_batch if given.threads_batch > 0 else given.threads
    if given.seed is not None:
        params.sampling.seed = given.seed

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = xllamacpp.Server(params)
    print("listening on " + server.listening_address, file=sys.stderr, flush=True)
    ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
