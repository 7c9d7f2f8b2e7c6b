"""`iadmin`: the one tool that runs the agent.

`main` turns arguments into a command, the command's `model.Outcome` into text or JSON, and that into an exit status.
`commands` has one module per noun, imported only when it is asked for; `wiring` hands them the edges, imported when one
is reached for. `link` is the client of the running agent's control API; `model` and `render` are pure.
"""
