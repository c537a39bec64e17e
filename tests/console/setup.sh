#!/usr/bin/env bash
# Installs axe-core, the accessibility check of the console's tests.
#
# usage: tests/console/setup.sh
#
# Goes to $TESTKIT_AXE_HOME, or else to <target>/axe, where <target> is
# $CARGO_TARGET_DIR or the workspace's target folder. Needs npm and flock. May be
# run any number of times, also at once: what is there is kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
home=${TESTKIT_AXE_HOME:-${CARGO_TARGET_DIR:-$root/target}/axe}
# A relative path means "seen from the workspace", as for cargo run there.
case $home in /*) ;; *) home=$root/$home ;; esac

for tool in npm flock; do
  command -v "$tool" >/dev/null || { echo "setup.sh: $tool is needed and not on PATH" >&2; exit 1; }
done

mkdir -p "$home"
exec 9>"$home/.lock"
flock 9

# The stamp is what was installed from; the tests compare it too.
sources() { cat "$here/package-lock.json"; }

if sources | cmp -s - "$home/.complete"; then
  echo "axe-core is in $home"
  exit 0
fi

rm -rf "$home/.complete" "$home/node_modules"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$home"
(cd "$home" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null)
sources >"$home/.complete"
echo "axe-core is in $home"
