# make run      install what is needed, build a release, start the console (demo cameras when none are configured)
# make install  programs that run without a Swift toolchain, manual, themes, shell completion; PREFIX=/usr/local
# make test     install what the tests need, run all of them
# make bench    what a viewer, a packet and a camera cost; MEDIAMTX=path runs the same against that binary
# make fuzz     fuzz the parsers that meet WebRTC's bytes and signalling, FUZZ_SECONDS (60) each, under AddressSanitizer
# make help     this list
#
# ARGS="..." goes to the program of run and bench.
.PHONY: run test lint build-tests unit-tests browser-tests fuzz bench build install help

ARGS ?=
VENV := .build/venv

run: build
	.build/release/signalbox $(ARGS)

build:
	.ci/install run
	@echo "Building a release; the first time takes some minutes."
	swift build -c release --product signalbox-media
	swift build -c release --product signalbox

test: lint build-tests unit-tests browser-tests

lint:
	swift format lint --strict --recursive --parallel Package.swift Sources Tests

build-tests:
	.ci/install test
	swift build --build-tests

# One after another: a thousand tests at once starve each other's sockets of processor time.
unit-tests: build-tests
	swift test --skip-build --no-parallel

browser-tests: build-tests $(VENV)/ready
	$(VENV)/bin/python -m pytest -p no:cacheprovider -q -rs Tests/Browser

fuzz:
	.ci/install run
	Tests/Fuzz/run

$(VENV)/ready: Tests/Browser/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -r Tests/Browser/requirements.txt
	touch $@

bench: build
	swift build -c release --product signalbox-bench
	python3 Tests/Benchmarks/bench.py $(ARGS)

PREFIX ?= /usr/local
# A build of its own: the flag concerns every file, and would have the other release built anew each time.
INSTALLED := .build/install/release
install:
	.ci/install run
	@echo "Building programs with Swift's libraries in them; the first time takes some minutes."
	swift build -c release --static-swift-stdlib --scratch-path .build/install --product signalbox-media
	swift build -c release --static-swift-stdlib --scratch-path .build/install --product signalbox
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/signalbox/themes
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -d $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install $(INSTALLED)/signalbox $(INSTALLED)/signalbox-media $(DESTDIR)$(PREFIX)/bin
	strip --strip-debug $(DESTDIR)$(PREFIX)/bin/signalbox $(DESTDIR)$(PREFIX)/bin/signalbox-media
	cp -R $(INSTALLED)/*.resources $(DESTDIR)$(PREFIX)/bin
	install -m 644 Sources/signalbox/Manual/signalbox.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 themes/*.theme $(DESTDIR)$(PREFIX)/share/signalbox/themes
	$(INSTALLED)/signalbox --generate-completion-script bash \
	  > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/signalbox
	$(INSTALLED)/signalbox --generate-completion-script zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_signalbox
	$(INSTALLED)/signalbox --generate-completion-script fish \
	  > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/signalbox.fish

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile
