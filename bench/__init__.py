"""How fast the agent is, beside other programs: `make bench`, or `python -m bench --help`.

`procs` asks the operating system what a program has used, `load` sends with wrk or `anew`, `home` is our agent, `peers`
are the programs it is held against. `rounds` compares them, `rates` and `costs` say what is compared, `rows` lists the
rows of the table, `report` prints and writes them. `scaling` has the curves.
`docs/performance.rst` says how to read the figures.
"""
