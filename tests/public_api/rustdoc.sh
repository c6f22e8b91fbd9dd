#!/bin/sh
# rustdoc with its JSON output, which stable hides. Only this program is told so: were cargo to see the variable, build
# scripts that look at it would make it build the dependencies again.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
