#!/usr/bin/env bash
# Debian's Chromium for the browser tests, where it is missing and this user may install it.
set -euo pipefail
if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then exit 0; fi
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
  echo "installing chromium"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 || echo "chromium could not be installed"
else
  echo "no chromium on this machine; install it to run the browser tests"
fi
