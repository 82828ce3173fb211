"""Stands in for a DCGM exporter on the test cluster, whose GPUs are not real: answers as dcgm-exporter does, made-up values of two devices. Energy
rises by real time at the power that is told; values are collected every INTERVAL seconds, and between two collections the answer is the same.

    python3 dcgm-stand-in.py [PORT] [INTERVAL]
"""

import math
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 9400
INTERVAL = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
BEGUN = time.monotonic()
NODE = os.environ.get("NODE_NAME", "node")
WATTS = (310.0, 290.0)


def answer():
    at = (time.monotonic() - BEGUN) // INTERVAL * INTERVAL
    families = {
        "DCGM_FI_DEV_GPU_TEMP": ("gauge", "GPU temperature (in C).", lambda gpu: 60 + gpu + round(3 * math.sin(at / 60))),
        "DCGM_FI_DEV_POWER_USAGE": ("gauge", "Power draw (in W).", lambda gpu: WATTS[gpu]),
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": (
            "counter",
            "Total energy consumption since boot (in mJ).",
            lambda gpu: round(1e9 + WATTS[gpu] * at * 1e3),
        ),
        "DCGM_FI_DEV_GPU_UTIL": ("gauge", "GPU utilization (in %).", lambda gpu: 90 + gpu),
        "DCGM_FI_DEV_FB_FREE": ("gauge", "Framebuffer memory free (in MiB).", lambda gpu: 11_000),
        "DCGM_FI_DEV_FB_USED": ("gauge", "Framebuffer memory used (in MiB).", lambda gpu: 70_000),
        "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": ("gauge", "Current clock throttle reasons.", lambda gpu: 4 if gpu == 0 else 0),
    }
    lines = []
    for name, (kind, words, value) in families.items():
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
        for gpu in range(len(WATTS)):
            labels = (
                f'gpu="{gpu}",UUID="GPU-{NODE}-{gpu}",pci_bus_id="00000000:0{gpu}:00.0",device="nvidia{gpu}",'
                f'modelName="NVIDIA H100 80GB HBM3 (stand-in)",Hostname="{NODE}",DCGM_FI_DRIVER_VERSION="550.54.15"'
            )
            lines.append(f"{name}{{{labels}}} {value(gpu)}")
    return "\n".join(lines) + "\n"


class Exporter(BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/metrics"
        body = answer().encode() if found else b"not found\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", PORT), Exporter).serve_forever()
