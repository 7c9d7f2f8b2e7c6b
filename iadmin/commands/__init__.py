"""The commands of `iadmin`, one module per noun.

A command takes its arguments and `tools.Tools`, and returns a `model.Outcome`; it prints nothing. `lazy` imports a
module when its command is asked for, so that `iadmin --version` costs no more than click.
"""
