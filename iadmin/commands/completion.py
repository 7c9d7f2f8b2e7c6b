"""`iadmin completion SHELL`: the script that completes commands, options and file names."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, get_completion_class

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.lazy import Command
from iadmin.model import Outcome
from iadmin.render import Script

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> Outcome:
    """Print the completion script for SHELL.

    \b
    bash:  iadmin completion bash > ~/.local/share/bash-completion/completions/iadmin
    zsh:   iadmin completion zsh > a folder of your $fpath, as _iadmin
    fish:  iadmin completion fish > ~/.config/fish/completions/iadmin.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise OperatorError("no-shell", f"click cannot complete for {shell}", exit_status=ExitStatus.USAGE)
    made = kind(ctx.find_root().command, {}, "iadmin", "_IADMIN_COMPLETE")
    # Bash's class starts a bash to look at its version, which need not be the one the script is for.
    script = made.source_template % made.source_vars() if isinstance(made, BashComplete) else made.source()
    if shell == "bash":
        # Names with blanks come escaped, and `read` would take the escapes away.
        script = script.replace("read type value", "read -r type value", 1)
    if shell == "zsh":
        # Loaded from $fpath, the file is the function: its second call would find itself loaded, and complete nothing.
        script = script.replace(
            "if [[ $zsh_eval_context", "compdef _iadmin_completion iadmin\nif [[ $zsh_eval_context", 1
        )
    return Outcome(data={"shell": shell, "script": script}, blocks=(Script(script),))
