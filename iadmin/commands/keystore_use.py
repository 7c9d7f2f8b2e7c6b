"""`iadmin keystore use ALIAS`: which entry the service gateway presents to senders."""

from __future__ import annotations

import click

from agent.config.edit import NotEditable, set_attribute
from agent.errors import ExitStatus, OperatorError
from iadmin.commands.keystore_words import entry_table, finding_blocks, finding_data
from iadmin.commands.keystores import AgentKeystore, first_gateway, keystore_command
from iadmin.commands.lazy import Command
from iadmin.model import Outcome
from iadmin.render import Line
from keystoretools import PrivateKey
from keystoretools.errors import ErrorCode, OperationError, quoted
from keystoretools.finding import Severity
from keystoretools.findings import findings
from keystoretools.identity import choose_identity


@click.command(cls=Command)
@click.argument("alias", metavar="ALIAS")
@click.option("--name", "names", multiple=True, metavar="HOST", help="What senders call this machine (repeatable).")
@keystore_command
def use(store: AgentKeystore, alias: str, names: tuple[str, ...]) -> Outcome:
    """Say which entry the service gateway presents.

    Looks first whether the entry can be presented at all. Then writes its name into iaconfig.xml, as the attribute
    alias of every service-gateway, and leaves the rest of that file as it is.
    """
    keystore = store.read()
    entry = choose_identity(keystore, alias, now=store.tools.now()).entry
    key = keystore.unlock(entry.alias, budget=store.budget)
    if isinstance(key, PrivateKey) and not key.fits(entry.chain[0]):
        raise OperationError(
            f"The certificate of {quoted(entry.alias)} was made for another key: every handshake would fail.",
            code=ErrorCode.KEY_DOES_NOT_MATCH,
        )
    config = store.tools.config_file
    saved = _write(store, entry.alias)
    found = [
        one
        for one in findings(keystore, now=store.tools.now(), host_names=names, alias=entry.alias)
        if one.alias == entry.alias and (one.severity is not Severity.INFO or one.code == "java-would-serve-other")
    ]
    told = f"The service gateway presents {quoted(entry.alias)}"
    told += f" ({config.name} says so)." if saved else f": {config.name} said so already."
    is_running = store.tools.agent_pid() is not None
    return Outcome(
        data={"config": str(config), "alias": entry.alias, "changed": saved, "findings": finding_data(found)},
        blocks=(
            Line(told, "good"),
            *([] if _is_secure(store) else [Line('It counts as soon as the service-gateway has ssl="true".')]),
            *(
                [Line("The running agent takes it over with: iadmin reload")]
                if is_running and _is_secure(store)
                else []
            ),
            entry_table([entry], store.tools.now(), {}),
            *finding_blocks(found),
        ),
        notes=tuple(store.notes),
    )


def _is_secure(store: AgentKeystore) -> bool:
    gateway = first_gateway(store.tools)
    return gateway is not None and gateway.ssl


def _write(store: AgentKeystore, alias: str) -> bool:
    """Change the configuration file; False when it says so already."""
    files, config = store.tools.safe_files(), store.tools.config_file
    with files.locked(config):
        data = files.load(config)
        try:
            if alias != alias.strip():
                raise NotEditable(
                    f"{alias!r} begins or ends with a blank, which a configuration drops; rename the entry"
                )
            edited = set_attribute(data, "service-gateway", "alias", alias)
        except (NotEditable, UnicodeError) as error:
            raise OperatorError("cannot-edit", f"{config.name}: {error}", exit_status=ExitStatus.CONFIG) from error
        if edited == data:
            return False
        files.save(config, edited, now=store.tools.now(), expected=data)
    return True
