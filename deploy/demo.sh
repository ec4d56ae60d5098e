#!/usr/bin/env bash
# Transcribes the samples that the project ships and leaves the files in out/.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
for preset in voice piano; do
    "$venv/bin/notabot" transcribe docs/samples/"$preset".* --preset "$preset" --out "out/$preset"
done
find out -type f | sort
