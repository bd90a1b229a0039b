# Everything a developer or a machine does here goes through a target; `make` alone lists them.

SHELL         := /bin/bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ARGS     ?=
FUZZTIME ?= 10s
RUN      ?=
PKG      ?=

GO       ?= go
BIN      := bin/tokenserver
TESTENV  := build/testenv
# The Google libraries can leave out the service meshes that nothing here speaks to: a quarter of the binary.
TAGS     := disable_grpc_modules
LDFLAGS  := -s -w -X main.version=$(VERSION)
TOOL     := $(GO) tool -modfile=tools/go.mod
# The black-box suite runs by itself: it needs the built binary and no race detector.
PACKAGES  = $(or $(PKG),$(ALL))
ALL       = $$($(GO) list ./... | grep -v -E '^tokenserver/e2e(/|$$)')
SELECT    = $(if $(RUN),-run '$(RUN)')

export TOKENSERVER_BIN := $(CURDIR)/$(BIN)

##@ Run

.PHONY: demo
demo: build ## start everything, walk the main job, print where to click, stay up (ARGS="--once --json")
	$(BIN) demo $(ARGS)

.PHONY: run
run: build ## start the server on SQLite and a throw-away Redis (ARGS="--help")
	$(BIN) serve $(ARGS)

.PHONY: build
build: ## make bin/tokenserver, static, with the version inside
	CGO_ENABLED=0 $(GO) build -tags $(TAGS) -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/tokenserver

##@ Test

.PHONY: test
test: deps build $(TESTENV) ## everything: unit, race, stores, black-box, browser; installs what is missing
	export TOKENSERVER_TEST_REQUIRE=1; status=0; \
	$(TESTENV) --no-fsync --redis-cluster -- $(GO) test -race -timeout 25m $(ALL) || status=1; \
	$(TESTENV) -- $(GO) test -count=1 -timeout 20m ./e2e/... || status=1; \
	exit $$status

.PHONY: unit
unit: $(TESTENV) ## the tests beside the code, fast, without the race detector (PKG=./sms/... RUN=TestName)
	$(TESTENV) --no-fsync --redis-cluster -- $(GO) test -timeout 15m $(SELECT) $(PACKAGES)

.PHONY: race
race: $(TESTENV) ## the same under the race detector (PKG=./sms/... RUN=TestName)
	$(TESTENV) --no-fsync --redis-cluster -- $(GO) test -race -timeout 25m $(SELECT) $(PACKAGES)

.PHONY: e2e
e2e: deps build $(TESTENV) ## the black-box suite; writes build/audit-coverage.json (RUN=TestName)
	TOKENSERVER_TEST_REQUIRE=1 $(TESTENV) -- $(GO) test -count=1 -timeout 20m $(SELECT) ./e2e/...

.PHONY: bench
bench: deps build ## the load generator; writes build/bench.json
	mkdir -p build
	$(GO) run ./bench $(ARGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s) each
	FUZZTIME=$(FUZZTIME) GO=$(GO) scripts/fuzz.sh

.PHONY: cover
cover: $(TESTENV) ## coverage of the tests beside the code; writes build/cover.html
	mkdir -p build
	$(TESTENV) --no-fsync --redis-cluster -- $(GO) test -timeout 15m -coverpkg=./... -coverprofile=build/cover.out $(ALL)
	$(GO) tool cover -html=build/cover.out -o build/cover.html
	$(GO) tool cover -func=build/cover.out | tail -n 1

##@ Check

.PHONY: lint
lint: ## golangci-lint with .golangci.yml (PKG=./sms/...)
	$(TOOL) golangci-lint run $(or $(PKG),./...)

.PHONY: fmt
fmt: ## format everything (gofumpt, goimports)
	$(TOOL) golangci-lint fmt $(or $(PKG),./...)

.PHONY: verify
verify: generate ## generate and tidy, then fail when that changed anything
	$(GO) mod tidy -e -diff
	git diff --exit-code
	test -z "$$(git status --porcelain --untracked-files=normal | tee /dev/stderr)"

.PHONY: vuln
vuln: ## known vulnerabilities in what we link; "not run" without its database
	GO=$(GO) scripts/vuln.sh

##@ Make

.PHONY: generate
generate: ## regenerate all generated code and pages
	$(GO) generate ./...

.PHONY: docs
docs: generate ## regenerate the pages of docs/ and follow every link
	$(GO) test -count=1 -run '^TestLinks$$' ./internal/arch

.PHONY: deps
deps: ## install the servers and the browser that the tests need, or say which are missing
	scripts/deps.sh

.PHONY: clean
clean: ## remove bin/ and build/
	rm -rf bin build

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z][a-z0-9_-]*:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: $(TESTENV)
$(TESTENV):
	$(GO) build -o $(TESTENV) ./internal/testenv/cmd/testenv
