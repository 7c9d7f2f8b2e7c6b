#!/bin/sh
# Builds the wheel, installs it into an empty environment elsewhere, and runs the agent from it: proves that the
# configuration and the sample service travel in the wheel. Usage: tests/wheel.sh [PYTHON]
set -eu
python=${1:-python3}
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
agent_pid=
finish() {
    [ -z "$agent_pid" ] || kill "$agent_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT INT TERM

"$python" -m venv "$work/venv"
"$work/venv/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work/dist" "$source"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "$work"/dist/*.whl
cd "$work"
venv/bin/iadmin init agent-home
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/port=\"8081\"/port=\"$port\"/" agent-home/conf/iaconfig.xml
venv/bin/iadmin --home agent-home config check
venv/bin/integration-agent --home agent-home >agent.log 2>&1 &
agent_pid=$!
waited=0
until venv/bin/iadmin --home agent-home status >/dev/null 2>&1; do
    waited=$((waited + 1))
    if [ "$waited" -gt 100 ] || ! kill -0 "$agent_pid" 2>/dev/null; then
        echo "the agent did not come up:" >&2
        cat agent.log >&2
        exit 1
    fi
    sleep 0.2
done
printf '<event><properties><city>Victoria</city></properties></event>' |
    venv/bin/iadmin --home agent-home event send sample-plan -
waited=0
until grep -q Victoria agent-home/var/outbox/*.jsonl 2>/dev/null; do
    waited=$((waited + 1))
    [ "$waited" -le 100 ] || { echo "the event did not reach the outbox" >&2; cat agent.log >&2; exit 1; }
    sleep 0.2
done
venv/bin/iadmin --home agent-home stop
wait "$agent_pid" || { echo "the agent ended with status $?" >&2; exit 1; }
agent_pid=
echo "The wheel works in a clean environment."
