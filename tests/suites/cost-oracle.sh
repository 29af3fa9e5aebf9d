#!/usr/bin/env bash
# Costs against the calculators of the projects whose price files are imported.
exec "$(dirname "$0")/../cost_oracle.sh"
