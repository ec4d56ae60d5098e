#!/usr/bin/env bash
# Runs every command of docs/gallery/README.md and puts the pages that they make beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$(realpath "${VENV:-.venv}")/bin:$PATH
grep '^notabot transcribe ' docs/gallery/README.md | while read -r command; do
    eval "$command" < /dev/null > /dev/null
    folder=$(grep -oP '(?<=--out )\S+' <<< "$command")
    name=$(basename "$folder")
    page=$folder/score-1.png
    [[ $command == *"--formats roll"* ]] && page=$folder/roll.png
    cp "$page" "docs/gallery/$name.png"
    echo "docs/gallery/$name.png"
done
