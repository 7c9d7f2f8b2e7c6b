#!/bin/sh
# The whole test suite in two processes side by side: the end-to-end tests mostly wait for real programs, the others use
# the processor meanwhile. Usage: tests/all.sh PYTHON
set -u
python=$1
report=$(mktemp)
"$python" -m pytest tests/e2e >"$report" 2>&1 &
live=$!
trap 'kill "$live" 2>/dev/null; rm -f "$report"' EXIT INT TERM

echo "The end-to-end tests run beside these; their report follows."
"$python" -m pytest --ignore=tests/e2e
status=$?

wait "$live"
live_status=$?
echo "End-to-end tests:"
cat "$report"
[ "$status" -eq 0 ] && [ "$live_status" -eq 0 ]
