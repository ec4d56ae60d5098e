#!/usr/bin/env bash
# Starts the inference service and the bot; Ctrl+C stops both in order. The service is restarted if
# it dies. Logs go to var/service.log and var/bot.log.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
mkdir -p var

# If the profile prefers a model that is not on this machine, the first start fetches it, with a
# progress bar. Without a network it names the substitute, and the service starts with that.
"$venv/bin/notabot" models fetch >/dev/null || [ "$?" -ne 130 ] || exit 130

supervise_service() {
    local service
    trap 'kill -TERM "$service" 2>/dev/null; wait "$service"; exit 0' TERM
    while true; do
        "$venv/bin/notabot" serve >>var/service.log 2>&1 &
        service=$!
        wait "$service" && exit 0
        echo "The service stopped unexpectedly; starting it again (see var/service.log)." >&2
        sleep 1
    done
}

supervise_service &
supervisor=$!
"$venv/bin/notabot-bot" 2>>var/bot.log &
bot=$!

stop() {
    trap - INT TERM
    # The bot stops first: it needs the service to finish its requests.
    kill -TERM "$bot" 2>/dev/null || true
    wait "$bot" 2>/dev/null || true
    kill -TERM "$supervisor" 2>/dev/null || true
    wait "$supervisor" 2>/dev/null || true
}
trap 'stop; exit 0' INT TERM

status=0
wait "$bot" || status=$?
echo "The bot stopped (see var/bot.log)." >&2
stop
exit "$status"
