#!/bin/sh
# Runs npm's clients against a server; exit code 77 and a line that says why, where something is lacking.
# clients_test.sh NARTHEX_BINARY
command -v node >/dev/null || { echo "clients: skipped: there is no Node"; exit 77; }
cd "$(dirname "$0")/.." && exec node tests/e2e/clients.mjs "$@"
