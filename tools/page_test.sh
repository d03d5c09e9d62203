#!/bin/sh
# Runs the page's tests in headless Chromium; exit code 77 and a line that says why, where something is lacking.
# page_test.sh NARTHEX_BINARY SCREENSHOT_FOLDER
command -v node >/dev/null || { echo "page: skipped: there is no Node"; exit 77; }
cd "$(dirname "$0")/../web" && exec node e2e/run.mjs "$@"
