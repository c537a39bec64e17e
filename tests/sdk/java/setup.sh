#!/usr/bin/env bash
# Fetches the genuine Java SDK, in two versions, and compiles the tests' client.
#
# usage: tests/sdk/java/setup.sh
#
# Goes to $TESTKIT_JAVA_SDK_HOME, or else to <target>/sdk-java, where <target> is
# $CARGO_TARGET_DIR or the workspace's target folder. Needs a JDK (17 or newer),
# mvn and flock. May be run any number of times, also at once: what is there is
# kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/fetched_home.sh
source "$here/../../fetched_home.sh"
choose_home TESTKIT_JAVA_SDK_HOME sdk-java java javac mvn flock
one_at_a_time "$home/.lock"

# The stamp is what was built from; the tests compare it too.
sources() { cat "$here/pom.xml" "$here/ForebayClient.java"; }

if sources | cmp -s - "$home/.complete"; then
  echo "the Java SDK is in $home"
  exit 0
fi

rm -rf "$home/.complete" "$home/current" "$home/guide"
for version in current guide; do
  mvn -B -q -Dstyle.color=never --no-transfer-progress -f "$here/pom.xml" -P "$version" \
    -Dforebay.libs="$home/$version/libs" dependency:copy-dependencies </dev/null
  javac -encoding UTF-8 --release 17 -cp "$home/$version/libs/*" -d "$home/$version/classes" \
    "$here/ForebayClient.java"
done
sources >"$home/.complete"
echo "the Java SDK is in $home"
