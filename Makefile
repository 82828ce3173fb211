# make run starts the portal, make test passes the tests; both install what is missing and say so.
.PHONY: run test check build bench format

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
