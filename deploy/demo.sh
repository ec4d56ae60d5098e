#!/usr/bin/env bash
# Transcribes the samples in docs/samples and writes the files to out/.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
"$venv/bin/notabot" transcribe docs/samples/voice.ogg --preset voice --title "Ode to Joy" --out out/voice
"$venv/bin/notabot" transcribe docs/samples/piano.ogg --preset piano --title "Minuet in G" --out out/piano
