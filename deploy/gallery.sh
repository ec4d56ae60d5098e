#!/usr/bin/env bash
# Runs every command of docs/gallery/README.md, and copies the pages and the sounds of continuations
# to its folder.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$(realpath "${VENV:-.venv}")/bin:$PATH
grep -E '^notabot (transcribe|continue) ' docs/gallery/README.md | while read -r command; do
    eval "$command" < /dev/null > /dev/null
    folder=$(grep -oP '(?<=--out )\S+' <<< "$command")
    name=$(basename "$folder")
    page=$folder/score-1.png
    [[ $command == *"--formats roll"* ]] && page=$folder/roll.png
    if [[ $command == "notabot continue "* ]]; then
        page=$folder/continuation-1.png
        cp "$folder/continuation.ogg" "docs/gallery/$name.ogg"
    fi
    cp "$page" "docs/gallery/$name.png"
    echo "docs/gallery/$name.png"
done
