#!/usr/bin/env bash
# Builds the client on the genuine Go SDK, for the tests.
#
# usage: tests/sdk/go/setup.sh
#
# Goes to $TESTKIT_GO_SDK_HOME, or else to <target>/sdk-go, where <target> is
# $CARGO_TARGET_DIR or the workspace's target folder. Needs go (1.22 or newer)
# and flock. May be run any number of times, also at once: what is there is kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
home=${TESTKIT_GO_SDK_HOME:-${CARGO_TARGET_DIR:-$root/target}/sdk-go}
# A relative path means "seen from the workspace", as for cargo run there.
case $home in /*) ;; *) home=$root/$home ;; esac

for tool in go flock; do
  command -v "$tool" >/dev/null || { echo "setup.sh: $tool is needed and not on PATH" >&2; exit 1; }
done

mkdir -p "$home"
exec 9>"$home/.lock"
flock 9

# The stamp is what was built from; the tests compare it too.
sources() { cat "$here/go.sum" "$here/main.go"; }

if sources | cmp -s - "$home/.complete"; then
  echo "the Go SDK's client is in $home"
  exit 0
fi

rm -f "$home/.complete"
(cd "$here" && go build -mod=readonly -trimpath -buildvcs=false -o "$home/forebay-client" . </dev/null)
sources >"$home/.complete"
echo "the Go SDK's client is in $home"
