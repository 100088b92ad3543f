#!/usr/bin/env bash
# Debian's Chromium for the browser tests, where it is missing and this user may install it.
# Where CI is set its absence is a failure: nobody there would notice tests that are skipped.
set -euo pipefail
if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then exit 0; fi
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  echo "installing chromium"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 || echo "chromium could not be installed"
else
  echo "no chromium on this machine; install it to run the browser tests"
fi
if [ -n "${CI:-}" ] && ! command -v chromium >/dev/null; then exit 1; fi
