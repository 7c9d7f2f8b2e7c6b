"""The TLS fault lab: real senders that do it wrong, and what the operator reads about each of them.

Every module starts one agent with the ports that it needs (`lab.Lab`), and every sender comes from a loopback address
of its own, so that its one sentence can be told from those of the others. `Lab.sentence` looks where the operator
looks: into the log, and into what `iadmin tls strangers` shows. After each test a good sender is still served.

Certificates are made at run time (`papers`); nothing leaves the loopback.
"""
