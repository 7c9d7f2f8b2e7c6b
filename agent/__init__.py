"""The integration agent: takes events, commits each to disk before it answers, runs services, relays the result.

The house has floors, and imports go down only (docs/architecture.rst; tests/test_architecture.py decides): `errors`,
`names` and `secret` at the bottom; pure rules above them (`config`, `event`, `wire`, `delivery`); then `sdk`, which
service authors import, and `boundaries` and `administered`, the seams; then the edges (`gateway`, `spool`, `host`,
`upstream`, `control`, `observe`), which do not know one another; `assembly` and `backrooms`, which wire them together;
`running` and `main` on top.
"""
