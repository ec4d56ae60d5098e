#!/usr/bin/env bash
# Builds the virtual environment: every pinned dependency, the Chordino plugin and the notation
# fonts, which come inside wheels. Does nothing if the requested extras are installed and up to date.
# With the extra `page` it also builds the practice page, with a Node that comes inside a wheel.
#
#   deploy/setup.sh [VENV]     default: .venv
#
# PYTHON       the interpreter to use (default: the first of python3.11 ... python3)
# TORCH_INDEX  the index to install torch from. On a machine without a GPU,
#              TORCH_INDEX=https://download.pytorch.org/whl/cpu saves the gigabytes of CUDA that
#              PyPI's own build contains
# COMPILE      if not empty, compile every module now: for images, whose users cannot write bytecode.
#              Otherwise Python compiles modules when they are first imported, which is faster
# EXTRAS       what to install (default: bot,service,page,shared,cluster,traces,training,dev)
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${1:-.venv}
extras=${EXTRAS:-bot,service,page,shared,cluster,traces,training,dev}
build_page() {
    case ",$extras," in
    *,page,*) "$venv/bin/python" -m deploy.practice_page ;;
    esac
}

# The name of the stamp holds a checksum of the files that define what is installed, and the extras.
stamp="$venv/.notabot-$(cat pyproject.toml deploy/constraints.txt deploy/no-deps-*.txt deploy/setup.sh \
    | cksum | tr ' ' '-')-"
installed=$(compgen -G "$stamp*" || true)
installed=-${installed#"$stamp"}-
missing=
for extra in ${extras//,/ }; do
    [[ $installed == *-$extra-* ]] || missing=yes
done
if [ -z "$missing" ]; then
    build_page
    exit 0
fi
for extra in ${installed//-/ }; do  # keep what is installed up to date
    [[ ,$extras, == *,$extra,* ]] || extras+=,$extra
done

find_python() {
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
        if [ -n "$candidate" ] && "$candidate" -c \
            'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Notabot needs Python 3.11, 3.12 or 3.13; name one with PYTHON=..." >&2
    exit 1
}

if [ ! -x "$venv/bin/pip" ]; then
    python=$(find_python)
    "$python" -m venv "$venv" || {
        echo "No virtual environment could be made; on Debian: apt-get install python3-venv" >&2
        exit 1
    }
fi
# Without compiling, which pip does for every module and on one core.
install() { "$venv/bin/python" -m pip --disable-pip-version-check install --no-compile "$@"; }

# The installer itself, at the versions pinned with the rest.
install --quiet --constraint deploy/constraints.txt pip setuptools

case ",$extras," in
*,service,*)
    # torch first and alone: another package's open range would install its newest build. Its index
    # is asked for nothing else; what torch needs is installed with the rest.
    echo "Installing torch ..."
    install --quiet --no-deps --constraint deploy/constraints.txt \
        ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
    ;;
esac

echo "Installing the pinned dependencies ($extras) ..."
install -qq --constraint deploy/constraints.txt --build-constraint deploy/constraints.txt \
    --editable ".[$extras]"

for extra in service training; do
    case ",$extras," in
    *,$extra,*)
        install --quiet --no-deps --requirement "deploy/no-deps-$extra.txt"
        ;;
    esac
done

if [ -n "${COMPILE:-}" ]; then
    # Files that are written for other versions of Python cannot be compiled, nor are they used.
    "$venv/bin/python" -m compileall -q -j 0 "$venv"/lib/python3.*/site-packages >/dev/null || true
fi

case ",$extras," in
*,service,*)
    # torchaudio's libraries are linked with CUDA. Beside a torch without CUDA they do not load, and
    # torchaudio imports only if they are absent. Notabot uses only its Python code.
    if ! "$venv/bin/python" -c 'import torchaudio' 2>/dev/null; then
        rm -f "$venv"/lib/python3.*/site-packages/torchaudio/lib/*.so
        "$venv/bin/python" -c 'import torchaudio'
    fi
    ;;
esac

rm -f "$venv"/.notabot-*
touch "$stamp${extras//,/-}"
build_page
