#!/usr/bin/env bash
# Installs the genuine Python SDK and librdkafka's Python client, for the tests.
#
# usage: tests/sdk/python/setup.sh
#
# Makes a virtual environment in $TESTKIT_PYTHON_SDK_HOME, or else in
# <target>/sdk-python, where <target> is $CARGO_TARGET_DIR or the workspace's
# target folder. Needs python3 (3.9 or newer) with venv, and flock. May be run
# any number of times, also at once: what is there is kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetched_home.sh
source "$here/../../fetched_home.sh"
choose_home TESTKIT_PYTHON_SDK_HOME sdk-python python3 flock
want=$(cksum <"$here/requirements.txt")
# Beside the folder: what lies inside is removed before each installation.
one_at_a_time "$home.lock"

if [[ -f $home/.complete && $(<"$home/.complete") == "$want" ]]; then
  echo "the Python SDK is in $home"
  exit 0
fi

rm -f "$home/.complete"
python3 -m venv --clear "$home"
"$home/bin/python" -m pip install --quiet --disable-pip-version-check \
  --requirement "$here/requirements.txt" </dev/null
printf '%s' "$want" >"$home/.complete"
echo "the Python SDK is in $home"
