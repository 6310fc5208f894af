#!/bin/sh
# Make .venv and install into it what `play`, `train` or `scrape` (each to play as well) or `all` needs, only when that has changed.
# Whatever goes wrong is one line; the rest is in VAR/log/pip.log.
set -eu
cd "$(dirname "$0")/.."
set_name=$1
log=${VAR:-var}/log/pip.log

fail() {
    echo "$1" >&2
    exit 1
}

hash_of() {
    cat "$@" | cksum
}

version='import sys; print("Python %d.%d" % sys.version_info[:2])'
if [ -n "${PYTHON:-}" ] && [ -x .venv/bin/python ]; then
    asked=$("$PYTHON" -c "$version" 2>/dev/null) || asked="which does not run"
    kept=$(.venv/bin/python -c "$version" 2>/dev/null) || kept="what it has"
    [ "$asked" = "$kept" ] || echo "PYTHON is $PYTHON ($asked), but .venv stays with $kept: delete .venv to have it made anew."
fi

play_hash=$(hash_of requirements/play.txt)
train_hash=$(hash_of requirements/play.txt requirements/train.txt)
scrape_hash=$(hash_of requirements/play.txt requirements/scrape.txt)
all_hash=$(hash_of requirements.txt $(sed -n 's/^-r //p' requirements.txt))
installed() {
    [ -x .venv/bin/python ] && [ "$(cat ".venv/$1.stamp" 2>/dev/null)" = "$2" ]
}
case $set_name in
    play) ! installed play "$play_hash" || exit 0 ;;
    train) ! { installed train "$train_hash" || installed all "$all_hash"; } || exit 0 ;;
    scrape) ! { installed scrape "$scrape_hash" || installed all "$all_hash"; } || exit 0 ;;
    all) ! installed all "$all_hash" || exit 0 ;;
esac

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
if ! [ -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    chosen=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && "$candidate" -c "$new_enough" 2>/dev/null; then
            chosen=$candidate
            break
        fi
    done
    [ -n "$chosen" ] || fail "Python 3.11 or newer is needed: install it, or name it: make PYTHON=/path/to/python3"
    "$chosen" -c 'import ensurepip, venv' 2>/dev/null || fail "Python's venv is missing: apt install python3-venv"
    echo "Making .venv with $("$chosen" --version) …"
    error=$("$chosen" -m venv .venv 2>&1) || fail "Could not make .venv: $(echo "$error" | tail -n 1)"
fi

mkdir -p "$(dirname "$log")" 2>/dev/null || fail "VAR is '${VAR:-var}': nothing can be written there. Use a folder that you may write to."
case $set_name in
    play)
        requirements=requirements/play.txt
        echo "Installing the packages to play (about 200 MB, once) …"
        ;;
    train)
        requirements="requirements/play.txt -r requirements/train.txt"
        echo "Installing the packages to play and to train, torch included (minutes, once) …"
        ;;
    scrape)
        requirements="requirements/play.txt -r requirements/scrape.txt"
        echo "Installing the packages to play and to scrape with twint (minutes, once) …"
        ;;
    all)
        requirements=requirements.txt
        echo "Installing all packages, torch and test tools included (minutes, once) …"
        ;;
esac
if ! .venv/bin/python -m pip install -q --disable-pip-version-check --no-input -r $requirements >"$log" 2>&1; then
    if grep -q 'No space left on device' "$log"; then
        fail "The disk is full: make room and run make again (details in $log)."
    elif grep -qE 'NewConnectionError|NameResolutionError|ConnectTimeout|ConnectionError|Connection broken|ReadTimeout|ProxyError' "$log"; then
        fail "No network: the packages could not be downloaded. Connect and run make again (details in $log)."
    fi
    fail "pip failed: $(grep '^ERROR' "$log" | tail -n 1) (details in $log)"
fi
echo "$play_hash" >.venv/play.stamp
case $set_name in
    train) echo "$train_hash" >.venv/train.stamp ;;
    scrape) echo "$scrape_hash" >.venv/scrape.stamp ;;
    all) echo "$all_hash" >.venv/all.stamp ;;
esac
