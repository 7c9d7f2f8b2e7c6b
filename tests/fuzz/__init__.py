"""Hostile files, made by the thousand: only `KeystoreError` may come out, and soon.

* `mutation`: from a good file to a bad one, the same one for the same seed.
* `targets`: every reader, with the files to begin with.
* `harness`: runs one input within bounds and says what went wrong.
* `__main__`: the long form, `python -m tests.fuzz --seconds 600`; `atheris_fuzz`: guided by coverage, where atheris is.
* `test_fuzz`: the short form, part of the suite.
"""
