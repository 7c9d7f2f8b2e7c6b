#!/bin/sh
# The whole test suite in two processes side by side: the end-to-end tests mostly wait for real programs, the others use
# the processor meanwhile. A test that hangs fails by its own time limit (pyproject.toml); what keeps even that from
# working is ended after LIMIT, so the run always comes to its report. Usage: tests/all.sh PYTHON
set -u
python=$1
LIMIT=40m
report=$(mktemp)
timeout --kill-after=30 "$LIMIT" "$python" -m pytest -vv --durations=15 tests/e2e >"$report" 2>&1 </dev/null &
live=$!
trap 'kill "$live" 2>/dev/null; rm -f "$report"' EXIT
trap 'exit 143' INT TERM

echo "The end-to-end tests run beside these; their report follows."
timeout --kill-after=30 "$LIMIT" "$python" -m pytest --ignore=tests/e2e </dev/null
status=$?

echo "End-to-end tests:"
tail --pid="$live" --lines=+1 --follow "$report"
wait "$live"
live_status=$?
[ "$status" -eq 0 ] && [ "$live_status" -eq 0 ]
