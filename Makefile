# make run starts the portal, make test passes the tests; both install what is missing and say so.
.PHONY: run test check build bench format kubernetes-up kubernetes-down test-kubernetes

# Build a release and start the portal on 127.0.0.1:3000 with its data in ./data.
run:
	@scripts/run.sh $(ARGS)

# Everything: unit, store, HTTP, load, browser.
test:
	@scripts/test.sh

# Formatting, lints for both halves, licences and advisories.
check:
	@scripts/check.sh

# target/release/dyno and target/site.
build:
	@scripts/build.sh

# Benchmarks; figures are for comparison within one run.
bench:
	@scripts/bench.sh

format:
	@bash -c 'source scripts/env.sh && cargo fmt --all'

# A Kubernetes cluster of two nodes on this machine, as root, for work by hand; prints its kubeconfig. And its end.
kubernetes-up:
	@bash -c 'if ! reason=$$(scripts/kubernetes/needs.sh); then echo "No cluster can run here: $$reason." >&2; exit 1; fi; scripts/kubernetes/up.sh nodes 2'

kubernetes-down:
	@scripts/kubernetes/down.sh

# The tests on such a cluster, against target/release (or DYNO_PROGRAM and DYNO_SITE); skipped, with the reason, where it can't run.
test-kubernetes:
	@scripts/kubernetes/test.sh
