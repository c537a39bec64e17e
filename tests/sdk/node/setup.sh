#!/usr/bin/env bash
# Installs the genuine Node SDK, for the tests.
#
# usage: tests/sdk/node/setup.sh
#
# Goes to $TESTKIT_NODE_SDK_HOME, or else to <target>/sdk-node, where <target> is
# $CARGO_TARGET_DIR or the workspace's target folder. Needs node (18.3 or newer),
# npm and flock. May be run any number of times, also at once: what is there is
# kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetched_home.sh
source "$here/../../fetched_home.sh"
choose_home TESTKIT_NODE_SDK_HOME sdk-node node npm flock
one_at_a_time "$home/.lock"
install_node_packages 'the Node SDK'
