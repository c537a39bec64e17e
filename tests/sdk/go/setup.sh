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
# shellcheck source=tests/fetched_home.sh
source "$here/../../fetched_home.sh"
choose_home TESTKIT_GO_SDK_HOME sdk-go go flock
one_at_a_time "$home/.lock"

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
