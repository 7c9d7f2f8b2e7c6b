"""`apclient`, also installed as `APClient.bin`: the program that management systems call to submit an alarm.

It is started once for each alarm, so what counts is what it does not import: no attrs, argparse, http.client, json, re,
typing or pathlib, `ssl` only for https, and nothing of the agent (`tests/apclient/test_imports.py` holds it to that).
Hence plain classes here, and HTTP over a socket.

`commandline` reads the arguments, `submission` makes bytes of them, `gateway` is the way to the agent, `spool` keeps
what could not be sent in `var/apclient` of the home, in the form of `parcel`, where the agent fetches it.
"""
