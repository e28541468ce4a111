# The front door: what Postgres people expect of an extension's Makefile, and the demo, the tests and the benchmark on a
# server that the set-up brings along. PG_CONFIG=/path/to/pg_config uses an existing server instead.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := all

SETUP := pgrx-config/setup.sh
CLUSTER := pgrx-config/cluster.sh
# The embedded server: 15, 16, 17 or 18.
PG ?= 18
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | sed -n 1p)
TARGET := $(or $(CARGO_TARGET_DIR),target)/release
# Another target within a recipe. "make -n" would run a whole recipe that names $(MAKE) itself.
again = $(MAKE)

# Sets $$pg_config and $$major in a recipe.
use_server = pg_config=$${PG_CONFIG:-$$($(SETUP) postgres $(PG))}; \
	major=$$("$$pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/'); \
	case $$major in 15|16|17|18) ;; *) echo "socle needs PostgreSQL 15 to 18, not $$("$$pg_config" --version)" >&2; exit 1;; esac
# Sets $$share and $$lib, the server's directories, or those that a package has them in.
use_directories = $(use_server); share=$(DESTDIR)$(or $(SHAREDIR),$$("$$pg_config" --sharedir)); \
	lib=$(DESTDIR)$(or $(PKGLIBDIR),$$("$$pg_config" --pkglibdir))

.PHONY: all install install-models uninstall installcheck clean demo demo-web psql stop test test-all bench lint help

## all: builds the extension, the engine, the generator and the egress process
all:
	# Nothing is installed into a system with a server of its own unasked.
	$(if $(PG_CONFIG),$(SETUP) missing "$(PG_CONFIG)",$(SETUP) packages)
	$(use_server)
	PGRX_PG_CONFIG_PATH="$$pg_config" cargo build --release --locked --package socle --package socle-engine --package socle-generator --package socle-egress --no-default-features --features socle/pg$$major

## install: puts them, ONNX Runtime and llama.cpp into the server (PG_CONFIG=…/pg_config for your own)
install: all
	$(use_directories)
	onnxruntime=$$($(SETUP) onnxruntime)
	llama=$$($(SETUP) llama)
	install -d "$$lib/socle/llama" "$$share/extension"
	install -m 755 $(TARGET)/libsocle.so "$$lib/socle.so"
	install -m 755 $(TARGET)/socle-engine $(TARGET)/socle-generator $(TARGET)/socle-egress "$$onnxruntime" "$$lib/socle/"
	install -m 644 "$$(dirname "$$onnxruntime")"/{LICENSE,ThirdPartyNotices.txt} "$$lib/socle/"
	# Before the files of another version are mixed with these.
	rm -f "$$lib/socle/llama"/*
	install -m 755 "$$llama"/*.so "$$lib/socle/llama/"
	install -m 644 "$$llama"/LICENSE.* "$$lib/socle/llama/"
	sed 's/@VERSION@/$(VERSION)/' socle.control >$(TARGET)/socle.control
	cat sql/schema/*.sql >"$(TARGET)/socle--$(VERSION).sql"
	install -m 644 $(TARGET)/socle.control "$(TARGET)/socle--$(VERSION).sql" sql/upgrade/*.sql "$$share/extension/"

## install-models: puts the models of demo and tests into the server, where socle.model_directory looks by default
install-models:
	$(use_directories)
	models=$$($(SETUP) models)
	install -d "$$share/socle/models"
	# Copies, not links: a model file known under a second name is refused. What is there already stays, and what differs
	# is renamed into place: a server that runs meanwhile never reads half of a file.
	(cd "$$models" && find . -type f) | while read -r file; do
		target=$$share/socle/models/$$file
		if ! cmp -s "$$models/$$file" "$$target"; then
			install -D -m 644 "$$models/$$file" "$$target.new"
			mv -fT "$$target.new" "$$target"
		fi
	done

## uninstall: takes all of that out of the server again, and leaves the models that you have put there
uninstall:
	$(use_directories)
	rm -rf "$$lib/socle.so" "$$lib/socle" "$$share"/extension/socle{.control,--*.sql}
	. pgrx-config/versions.env
	for model in $$(sed 's|.*  ||; s|/.*||' <<<"$$MODEL_SHA256" | sort -u); do
		# Known by its bytes: one of your own may have the same name.
		files=$$(grep "  $$model/" <<<"$$MODEL_SHA256")
		if (cd "$$share/socle/models" && sha256sum --check --status <<<"$$files") 2>/dev/null; then
			rm -rf "$$share/socle/models/$$model"
		fi
	done
	for directory in "$$share/socle/models" "$$share/socle"; do
		if [ -d "$$directory" ]; then rmdir --ignore-fail-on-non-empty "$$directory"; fi
	done

## installcheck: runs regression and isolation tests on the running server that PGHOST, PGPORT and PGUSER name
installcheck:
	$(use_server)
	mkdir -p $(TARGET)/pg_regress
	regress=$$(dirname "$$("$$pg_config" --pgxs)")/../test/regress/pg_regress
	"$$regress" --inputdir=tests/pg_regress --outputdir=$(TARGET)/pg_regress --bindir="$$("$$pg_config" --bindir)" \
		--dbname=contrib_regression --encoding=UTF8 --no-locale $$(cat tests/pg_regress/schedule)
	# Sessions beside each other, in a database of their own.
	specs=$$(cat tests/isolation/schedule)
	if [ "$$("$$("$$pg_config" --bindir)/psql" --no-psqlrc -Atc 'SHOW max_prepared_transactions' postgres)" = 0 ]; then
		echo 'SKIPPED: prepared, because max_prepared_transactions is 0'
		specs=$${specs/prepared/}
	fi
	mkdir -p $(TARGET)/pg_isolation_regress
	isolation=$$(dirname "$$("$$pg_config" --pgxs)")/../test/isolation/pg_isolation_regress
	"$$isolation" --inputdir=tests/isolation --outputdir=$(TARGET)/pg_isolation_regress --bindir="$$("$$pg_config" --bindir)" \
		--dbname=isolation_regression --encoding=UTF8 --no-locale $$specs

## test: set-up and all tests on the embedded server
test: install install-models test-units test-server

# Everything that needs no server.
.PHONY: test-units
test-units:
	models=$$($(SETUP) models)
	onnxruntime=$$($(SETUP) onnxruntime)
	llama=$$($(SETUP) llama)
	export SOCLE_MODELS=$$models SOCLE_ONNXRUNTIME=$$onnxruntime SOCLE_LLAMA=$$llama
	cargo test --release --locked --package socle-core --package socle-archive --package socle-child --package socle-extract --package socle-ocr --package socle-engine \
		--package socle-generator --package socle-egress
	cargo test --release --locked --package socle-tests --test project
	cargo test --release --locked --package socle-ledger --package socle-package

## test-clients: the integrations of clients/python with LangChain, LlamaIndex, Haystack and MCP, which are large (test-long runs it, too)
.PHONY: test-clients
test-clients: install install-models
	$(use_server)
	runner=$$($(SETUP) runner)
	frameworks=$$($(SETUP) python frameworks)
	export SOCLE_PG_CONFIG=$$pg_config SOCLE_RUNNER=$$runner SOCLE_PYTHON_FRAMEWORKS=$$frameworks
	cargo test --release --locked --package socle-tests --test cluster -- --ignored clients::

# Everything that needs one: SQL on a throw-away server, then servers that crash.
.PHONY: test-server
test-server:
	$(use_server)
	runner=$$($(SETUP) runner)
	python=$$($(SETUP) python test)
	# Without one of these, what needs it says that it is skipped. Chromium is not installed for it.
	SOCLE_EXPORTER=$$($(SETUP) exporter) || SOCLE_EXPORTER=
	SOCLE_PROMTOOL=$$($(SETUP) promtool) || SOCLE_PROMTOOL=
	SOCLE_PYTHON_CLIENTS=$$($(SETUP) python clients) || SOCLE_PYTHON_CLIENTS=
	SOCLE_PGBOUNCER=$$($(SETUP) pgbouncer) || SOCLE_PGBOUNCER=
	SOCLE_MINISIGN=$$($(SETUP) minisign) || SOCLE_MINISIGN=
	SOCLE_JDBC=$$($(SETUP) jdbc) || SOCLE_JDBC=
	SOCLE_NODE=$$($(SETUP) node) || SOCLE_NODE=
	SOCLE_SERVER=$$($(SETUP) python server) || SOCLE_SERVER=
	SOCLE_PYTHON_EXPORT=$$($(SETUP) python export)
	SOCLE_PYTHON_LANCEDB=$$($(SETUP) python lancedb) || SOCLE_PYTHON_LANCEDB=
	SOCLE_PYTHON_WEB=$$($(SETUP) python web)
	SOCLE_PYTHON_BROWSER=
	if command -v chromium >/dev/null; then SOCLE_PYTHON_BROWSER=$$($(SETUP) python browser); fi
	export SOCLE_PYTHON_EXPORT SOCLE_PYTHON_LANCEDB SOCLE_PYTHON_WEB SOCLE_PYTHON_BROWSER
	export SOCLE_SERVER SOCLE_EXPORTER SOCLE_PROMTOOL SOCLE_PYTHON_CLIENTS SOCLE_PGBOUNCER SOCLE_MINISIGN SOCLE_JDBC SOCLE_NODE
	host=$$($(CLUSTER) start regress "$$pg_config" -c fsync=off -c max_prepared_transactions=5)
	export PGHOST=$$host PGUSER=postgres SOCLE_PG_CONFIG=$$pg_config SOCLE_RUNNER=$$runner SOCLE_PYTHON=$$python
	trap '$(CLUSTER) stop regress "$$pg_config"' EXIT
	$(again) installcheck || { cat $(TARGET)/pg_{regress,isolation_regress}/regression.diffs; exit 1; }
	cargo test --release --locked --package socle-tests --test cluster -- --test-threads=2

## test-all: the same on all four versions of PostgreSQL
test-all: install install-models test-units
	for pg in 15 16 17 18; do $(again) PG=$$pg install install-models test-server; done

## test-long: before a release: the same, then the servers' tests on one processor, and damaged documents (hours)
.PHONY: test-long
test-long: test-all
	$(again) test-clients
	taskset --cpu-list 0 $(again) test-server
	$(again) fuzz

## package: builds the Debian packages postgresql-NN-socle (with its debug symbols) and socle-models into target/package
.PHONY: package
package: all
	$(use_server)
	stage=$$(realpath -m $(TARGET)/../package)/stage
	rm -rf "$$stage"
	$(again) install DESTDIR="$$stage/server" SHAREDIR=/usr/share/postgresql/$$major PKGLIBDIR=/usr/lib/postgresql/$$major/lib
	$(again) install-models DESTDIR="$$stage/models" SHAREDIR=/usr/share
	packaging/build.sh $$major $(VERSION) "$$stage"
	rmdir "$$stage"
	ls -l "$$(dirname "$$stage")"

## dist: the same as an archive for a server without network, with a script that installs it, in target/dist
.PHONY: dist
dist: all
	$(use_server)
	stage=$$(realpath -m $(TARGET)/../dist)/socle-$(VERSION)-postgresql-$$major-linux-x86_64
	rm -rf "$$stage" "$$stage.tar.gz"
	$(again) install install-models DESTDIR="$$stage" SHAREDIR=/share PKGLIBDIR=/lib
	packaging/dist.sh $$major $(VERSION) "$$stage"
	ls -l "$$stage.tar.gz"

## demo: from nothing to answers out of real documents, in French, English and German
demo: install install-models
	@$(use_server)
	documents=$$($(SETUP) documents)
	host=$$($(CLUSTER) start demo "$$pg_config")
	PGHOST=$$host PGUSER=postgres demo/run.sh "$$("$$pg_config" --bindir)/psql" "$$documents" "$$host/papers"

## demo-web: shows the demo in a browser, at http://localhost:8080 (WEB_PORT=… for another port), until it is interrupted
demo-web:
	@$(use_server)
	python=$$($(SETUP) python web)
	PGHOST=$$($(CLUSTER) start demo "$$pg_config")
	export PGHOST PGDATABASE=demo PYTHONPATH=$$python PYTHONDONTWRITEBYTECODE=1
	if [ -z "$$($(CLUSTER) psql demo "$$pg_config" --dbname=postgres -Atc "SELECT 1 FROM pg_database WHERE datname = 'demo'")" ]; then
		echo 'There is no demo yet: run "make demo" first.' >&2
		exit 1
	fi
	PGUSER=postgres python3 examples/web/load.py
	echo 'Open http://localhost:$(or $(WEB_PORT),8080) in a browser. Ctrl+C ends it.'
	cd examples/web
	PGUSER=web_app exec python3 -m uvicorn app:app --host 127.0.0.1 --port $(or $(WEB_PORT),8080) --log-level warning

## psql: opens psql on the demo's server (ARGS="-c '…'" for one command)
psql:
	@$(use_server)
	$(CLUSTER) psql demo "$$pg_config" --dbname=demo $(ARGS)

## stop: stops the demo's server
stop:
	$(use_server)
	$(CLUSTER) stop demo "$$pg_config"

## lint: formatting, clippy and rustdoc with warnings denied, pgspot, spelling, shellcheck, hadolint; known faults of crates where cargo-deny is installed
lint:
	$(SETUP) packages
	$(use_server)
	cargo fmt --check
	PGRX_PG_CONFIG_PATH="$$pg_config" cargo clippy --release --locked --workspace --all-targets \
		--no-default-features --features socle/pg$$major -- --deny warnings
	PGRX_PG_CONFIG_PATH="$$pg_config" RUSTDOCFLAGS='--deny warnings' cargo doc --quiet --release --locked --workspace --no-deps \
		--document-private-items --no-default-features --features socle/pg$$major
	$(again) lint-without-cargo
	if ! cargo deny --version >/dev/null 2>&1; then
		echo 'SKIPPED: cargo deny check advisories, because cargo-deny is not installed (cargo install --locked cargo-deny)'
	elif ! cargo deny fetch db; then
		echo 'SKIPPED: cargo deny check advisories, because the database of advisories could not be fetched'
	else
		cargo deny check --disable-fetch advisories
	fi

# What the install script and those of updates let others do, spelling, and scripts.
.PHONY: lint-without-cargo
lint-without-cargo:
	lint=$$($(SETUP) python lint) || { echo 'SKIPPED: pgspot, typos, shellcheck and hadolint, which could not be installed'; exit 0; }
	mkdir -p $(TARGET)
	cat sql/schema/*.sql >$(TARGET)/lint.sql
	PYTHONPATH=$$lint python3 "$$lint/bin/pgspot" $(TARGET)/lint.sql
	# PS015, PS002: an update replaces functions and views; Postgres refuses to where they are not of this extension.
	PYTHONPATH=$$lint python3 "$$lint/bin/pgspot" --ignore PS002 --ignore PS015 sql/upgrade/*.sql
	"$$lint/bin/typos"
	"$$lint/bin/shellcheck" --external-sources pgrx-config/*.sh demo/*.sh packaging/*.sh packaging/install.sh.in .ci/run
	"$$lint/bin/hadolint" packaging/Dockerfile

## bench: measures throughput, latency, interrupts and memory (DATA=… for your own texts in the BEIR layout)
bench: install install-models
	$(use_server)
	cargo build --release --locked --package socle-bench
	documents=$$($(SETUP) documents)
	models=$$($(SETUP) models)
	onnxruntime=$$($(SETUP) onnxruntime)
	python=$$($(SETUP) python bench)
	# Room for the indexes of the search corpus, and for its log until that is measured.
	host=$$($(CLUSTER) start bench "$$pg_config" -c shared_buffers=1GB -c wal_keep_size=8GB)
	trap '$(CLUSTER) stop bench "$$pg_config"' EXIT
	llama=$$($(SETUP) llama)
	export PGHOST=$$host PYTHONPATH=$$python SOCLE_DOCUMENTS=$$documents SOCLE_LLAMA=$$llama
	# Asked for by name only: it takes LibreOffice to make the pages.
	case $${SOCLE_BENCH-} in ocr*) SOCLE_PAGES=$${SOCLE_PAGES:-$$($(SETUP) pages)} PYTHONPATH=$$($(SETUP) python ocr); export SOCLE_PAGES PYTHONPATH ;; esac
	$(TARGET)/socle-bench "$$models" "$$onnxruntime" bench/fastembed_run.py $(DATA)

## fuzz: reads damaged documents, ten minutes for each format (SECONDS=60 FORMAT=pdf SEED=7), and keeps what ended its reader
.PHONY: fuzz
fuzz:
	$(SETUP) packages
	models=$$($(SETUP) models)
	onnxruntime=$$($(SETUP) onnxruntime)
	mkdir -p $(TARGET)/fuzz
	export SOCLE_MODELS=$$models SOCLE_ONNXRUNTIME=$$onnxruntime SOCLE_FUZZ_DIRECTORY=$$PWD/$(TARGET)/fuzz
	export SOCLE_FUZZ_SECONDS=$(or $(SECONDS),600) SOCLE_FUZZ_FORMAT=$(FORMAT) SOCLE_FUZZ_SEED=$(or $(SEED),$$RANDOM)
	cargo test --release --locked --package socle-engine --test fuzz -- --nocapture

## clean: removes what was built
clean:
	cargo clean

## help: lists the targets
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
	echo 'Variables: PG=15|16|17|18 chooses the embedded server, PG_CONFIG=… uses an existing one.'
