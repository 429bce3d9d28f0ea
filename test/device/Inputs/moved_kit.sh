#!/bin/sh
# Moves a kit out of the source tree, hides the tree and runs the kit's conformance suite. Runs it again without its inputs.
#
#     moved_kit.sh KIT ROOT
set -e
moved=$(mktemp -d)
trap 'rm -rf "$moved"' EXIT
mv "$1" "$moved/kit"
cd /
export LD_LIBRARY_PATH="$moved/kit/lib" NIBBLE_TEST_DATA="$moved/kit/data"
unshare --mount sh -c '
  mount -t tmpfs tmpfs "$1"
  [ -e "$1/test" ] || echo hidden
  "$2/kit/bin/RuntimeConformanceTests"
  rm -r "$2/kit/data"
  echo without its inputs
  "$2/kit/bin/RuntimeConformanceTests" || true' sh "$2" "$moved"
