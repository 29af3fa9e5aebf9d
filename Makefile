PG_CONFIG = pg_config

help:
	@echo 'make demo       build the extension and show it on a scratch cluster'
	@echo 'make test       all tests; one suite: tests/run.sh SUITE'
	@echo 'make bench      the benchmarks'
	@echo 'make install    into the server of PG_CONFIG=/path/to/pg_config; SUDO=1 to copy the files with sudo'
	@echo 'make setup      only install what build and tests need (Debian 12)'
	@echo 'make build      only build, into the private PostgreSQL in target/'
	@echo 'make fmt lint   format the Rust sources; run the linters'
	@echo 'make clean      stop the scratch clusters and remove target/'

setup:
	pgrx-config/setup.sh

build:
	pgrx-config/install-private.sh

demo:
	pgrx-config/demo.sh

test:
	tests/run.sh

bench:
	bench/run.sh

install:
	pgrx-config/install.sh '$(PG_CONFIG)' $(if $(SUDO),--sudo)

fmt:
	cargo fmt

lint:
	tests/run.sh lint

clean:
	pgrx-config/clean.sh

.PHONY: help setup build demo test bench install fmt lint clean
