#!/usr/bin/env bash
# Takes the pictures of docs/console: every page, narrow and wide, light and dark.
#
# usage: tests/console/screenshots.sh
#
# Needs chromium and chromedriver, and tests/console/setup.sh to have been run.
# It is the test that checks the pages, with some minutes of load before it, so
# that charts have something to show.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
export FOREBAY_SCREENSHOTS=$root/docs/console
mkdir -p "$FOREBAY_SCREENSHOTS"
rm -f "$FOREBAY_SCREENSHOTS"/*.png
cargo test --package forebay --test console_pages -- --nocapture
ls "$FOREBAY_SCREENSHOTS"
