"""The commands and options of keytool as a table, and the reader of a command line.

Names count in any case; a command word may stand anywhere.  Of an option given twice the last one counts, except
`-ext`, which collects.  Source: help texts of JDK 17.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

import attrs


class UsageError(Exception):
    """A command line that cannot be read: `sentence` in keytool's words, then the help of `command`.

    `hint` is a sentence of ours for the person who typed it.
    """

    def __init__(self, sentence: str, command: Command | None = None, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.command = command
        self.hint = hint


@attrs.frozen(kw_only=True)
class Command:
    """One command: `options` in the order of its help; `old` are earlier spellings; hidden ones are not listed."""

    name: str
    words: str
    options: tuple[str, ...]
    old: tuple[str, ...] = ()
    hidden: bool = False


# name: (placeholder of the argument, or "" for a switch; words of the help)
OPTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "addprovider": ("name", "add security provider by name (e.g. SunPKCS11)"),
    "alias": ("alias", "alias name of the entry to process"),
    "cacerts": ("", "access the cacerts keystore"),
    "destalias": ("alias", "destination alias"),
    "destkeypass": ("arg", "destination key password"),
    "destkeystore": ("keystore", "destination keystore name"),
    "destprotected": ("", "destination keystore password protected"),
    "destprovidername": ("name", "destination keystore provider name"),
    "deststorepass": ("arg", "destination keystore password"),
    "deststoretype": ("type", "destination keystore type"),
    "dname": ("name", "distinguished name"),
    "ext": ("value", "X.509 extension"),
    "file": ("file", "input file name"),
    "groupname": ("name", "Group name. For example, an Elliptic Curve name."),
    "id": ("id:reason", "Serial ID of cert to revoke"),
    "infile": ("file", "input file name"),
    "jarfile": ("file", "signed jar file"),
    "keyalg": ("alg", "key algorithm name"),
    "keypass": ("arg", "key password"),
    "keysize": ("size", "key bit size"),
    "keystore": ("keystore", "keystore name"),
    "new": ("arg", "new password"),
    "noprompt": ("", "do not prompt"),
    "outfile": ("file", "output file name"),
    "protected": ("", "password through protected mechanism"),
    "providerarg": ("arg", "configure argument for -addprovider"),
    "providerclass": ("class", "add security provider by fully-qualified class name"),
    "providername": ("name", "provider name"),
    "providerpath": ("list", "provider classpath"),
    "rfc": ("", "output in RFC style"),
    "sigalg": ("alg", "signature algorithm name"),
    "signer": ("alias", "signer alias"),
    "signerkeypass": ("arg", "signer key password"),
    "srcalias": ("alias", "source alias"),
    "srckeypass": ("arg", "source key password"),
    "srckeystore": ("keystore", "source keystore name"),
    "srcprotected": ("", "source keystore password protected"),
    "srcprovidername": ("name", "source keystore provider name"),
    "srcstorepass": ("arg", "source keystore password"),
    "srcstoretype": ("type", "source keystore type"),
    "sslserver": ("server[:port]", "SSL server host and port"),
    "startdate": ("date", "certificate validity start date/time"),
    "storepass": ("arg", "keystore password"),
    "storetype": ("type", "keystore type"),
    "tls": ("", "Displays TLS configuration information"),
    "trustcacerts": ("", "trust certificates from cacerts"),
    "v": ("", "verbose output"),
    "validity": ("days", "validity number of days"),
}
# Old and second spellings that keytool reads.
_SPELLINGS: Final = {"dest": "destalias", "provider": "providerclass"}
# keytool knows these pairs as one option each: either word does in every command.
_OF_DESTINATION: Final = {
    "alias": "srcalias",
    "keystore": "destkeystore",
    "protected": "destprotected",
    "providername": "destprovidername",
    "storepass": "deststorepass",
    "storetype": "deststoretype",
}
_OF_STORE: Final = {other: name for name, other in _OF_DESTINATION.items()}
# Options that take :env or :file.
PASSWORDS: Final = frozenset(
    {"destkeypass", "deststorepass", "keypass", "new", "signerkeypass", "srckeypass", "srcstorepass", "storepass"}
)
# Accepted with every command, in no help.
_EVERYWHERE: Final = frozenset({"nowarn", "debug", "v", "providerarg"})
_MANY: Final = ("ext", "id", "addprovider", "provider", "providerclass", "providerarg")
# `-file` is the one word that means two things.
WRITES_FILE: Final = frozenset({"certreq", "exportcert", "gencrl"})

_PROVIDERS = "addprovider providerclass providerpath"
_STORE = f"storepass storetype providername {_PROVIDERS}"


def _command(name: str, words: str, options: str, old: str = "", *, hidden: bool = False) -> Command:
    return Command(name=name, words=words, options=tuple(options.split()), old=tuple(old.split()), hidden=hidden)


COMMANDS: Final[Mapping[str, Command]] = {
    command.name: command
    for command in (
        _command(
            "certreq",
            "Generates a certificate request",
            f"alias sigalg file keypass keystore dname ext {_STORE} v protected",
        ),
        _command(
            "changealias",
            "Changes an entry's alias",
            f"alias destalias keypass keystore cacerts {_STORE} v protected",
        ),
        _command("delete", "Deletes an entry", f"alias keystore cacerts {_STORE} v protected"),
        _command(
            "exportcert", "Exports certificate", f"rfc alias file keystore cacerts {_STORE} v protected", "export"
        ),
        _command(
            "genkeypair",
            "Generates a key pair",
            "alias keyalg keysize groupname sigalg dname startdate ext validity keypass keystore signer signerkeypass"
            f" {_STORE} v protected",
            "genkey",
        ),
        _command("genseckey", "Generates a secret key", f"alias keypass keyalg keysize keystore {_STORE} v protected"),
        _command(
            "gencert",
            "Generates certificate from a certificate request",
            f"rfc infile outfile alias sigalg dname startdate ext validity keypass keystore {_STORE} v protected",
        ),
        _command(
            "importcert",
            "Imports a certificate or a certificate chain",
            f"noprompt trustcacerts protected alias file keypass keystore cacerts {_STORE} v",
            "import",
        ),
        _command(
            "importpass",
            "Imports a password",
            f"alias keypass keyalg keysize keystore {_STORE} v protected",
            "importpassword",
        ),
        _command(
            "importkeystore",
            "Imports one or all entries from another keystore",
            "srckeystore destkeystore srcstoretype deststoretype srcstorepass deststorepass srcprotected destprotected"
            " srcprovidername destprovidername srcalias destalias srckeypass destkeypass noprompt"
            f" {_PROVIDERS} v",
        ),
        _command("keypasswd", "Changes the key password of an entry", f"alias keypass new keystore {_STORE} v"),
        _command("list", "Lists entries in a keystore", f"rfc alias keystore cacerts {_STORE} v protected"),
        _command(
            "printcert",
            "Prints the content of a certificate",
            f"rfc file sslserver jarfile keystore storepass storetype trustcacerts providername {_PROVIDERS}"
            " v protected",
        ),
        _command("printcertreq", "Prints the content of a certificate request", "file v"),
        _command(
            "printcrl",
            "Prints the content of a CRL file",
            f"file keystore storepass storetype trustcacerts providername {_PROVIDERS} v protected",
        ),
        _command("storepasswd", "Changes the store password of a keystore", f"new keystore cacerts {_STORE} v"),
        _command("showinfo", "Displays security-related information", "tls v"),
        _command(
            "gencrl", "Generates CRL", f"rfc file id alias sigalg keypass keystore {_STORE} v protected", hidden=True
        ),
        _command(
            "selfcert",
            "Generates a self-signed certificate",
            "alias sigalg dname startdate ext validity keypass storetype keystore storepass providername"
            f" {_PROVIDERS} v",
            hidden=True,
        ),
        _command(
            "keyclone",
            "Clones a key entry",
            f"alias destalias keypass new storetype keystore storepass providername {_PROVIDERS} v",
            hidden=True,
        ),
        _command(
            "identitydb",
            "Imports entries from a JDK 1.1.x-style identity database",
            f"file storetype keystore storepass providername {_PROVIDERS} v",
            hidden=True,
        ),
    )
}

_BY_WORD: Final = {word: command for command in COMMANDS.values() for word in (command.name, *command.old)}
_HELP: Final = frozenset({"-help", "-h", "-?", "--help"})
_DASHES: Final = "\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{HYPHEN}\N{NON-BREAKING HYPHEN}"


@attrs.frozen(kw_only=True)
class Invocation:
    """A read command line.

    `values` are the options that take an argument; passwords may be under `name:env` or `name:file` instead.
    `repeated` are options given more than once, in order; `hints` sentences of ours.
    """

    command: Command | None
    help: bool = False
    values: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    switches: frozenset[str] = frozenset()
    extensions: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    clash: str | None = None

    def get(self, name: str) -> str | None:
        """The argument of an option, None when it was not given."""
        return self.values.get(name)

    def has(self, switch: str) -> bool:
        return switch in self.switches


def read(arguments: Iterable[str]) -> Invocation:
    """The command line after the program's name.  Raises UsageError."""
    return _Reader(list(arguments)).read()


@attrs.define
class _Reader:
    arguments: list[str]
    at: int = 0
    command: Command | None = None
    seen: Command | None = None
    clash: str | None = None
    help: bool = False
    values: dict[str, str] = attrs.field(factory=dict)
    switches: set[str] = attrs.field(factory=set)
    extensions: list[str] = attrs.field(factory=list)
    repeated: list[str] = attrs.field(factory=list)
    hints: list[str] = attrs.field(factory=list)
    typed: set[str] = attrs.field(factory=set)

    def read(self) -> Invocation:
        self.command = self._early_command()
        while self.at < len(self.arguments):
            word = self.arguments[self.at]
            self.at += 1
            self._word(self._repaired(word), word)
        return Invocation(
            command=self.command,
            help=self.help or not self.arguments,
            values=self.values,
            switches=frozenset(self.switches),
            extensions=tuple(self.extensions),
            repeated=tuple(self.repeated),
            hints=tuple(self.hints),
            clash=self.clash,
        )

    def _early_command(self) -> Command | None:
        """The command, looked for first, so that errors before it can show its help."""
        for word in self.arguments:
            command = _BY_WORD.get(word[1:].lower()) if word[:1] == "-" else None
            if command is not None:
                return command
        return None

    def _repaired(self, word: str) -> str:
        """The dashes of a word processor, and a command or option without its dash, as guides have them."""
        if word[:1] in _DASHES and len(word) > 1:
            repaired = "-" + word.lstrip(_DASHES + "-")
        elif word.lower() in _BY_WORD and self.command is None:
            repaired = "-" + word
            self.command = _BY_WORD[word.lower()]
        elif word.lower() in ("keystore", "storepass", "alias") and self.at < len(self.arguments):
            repaired = "-" + word
        else:
            return word
        self.hints.append(f'"{word}" was read as "{repaired}".')
        return repaired

    def _meant(self, name: str) -> str:
        """The option as the command calls it."""
        name = _SPELLINGS.get(name, name)
        if self.command is None or name in self.command.options:
            return name
        other = _OF_DESTINATION.get(name) or _OF_STORE.get(name) or name
        return other if other in self.command.options else name

    def _word(self, word: str, typed: str) -> None:
        if word.lower() in _HELP:
            self.help = True
            return
        if word.startswith("-J") and len(word) > 2:
            return  # for the Java machine
        name, colon, modifier = word[1:].lower().partition(":")
        if word[:1] != "-" or not name:
            raise self._unknown(typed)
        name = self._meant(name)
        if not colon and name in _BY_WORD:
            self._command_word(_BY_WORD[name])
        elif name in _EVERYWHERE and name not in OPTIONS:
            self.switches.update({name, "v"} if name == "debug" else {name})
        elif name == "conf" and not colon:
            raise UsageError(
                "The option -conf is not available here", self.command, hint="Write the options of its file out."
            )
        elif colon and name in PASSWORDS and modifier not in ("env", "file") and self._known(name, None):
            raise UsageError(f"Unknown password type: {modifier}", self.command, hint=self._nearest(word))
        elif not colon and OPTIONS.get(name, ("",))[0] and self.at >= len(self.arguments):
            self._argument(word)  # says so, whether the command has this option or not
        elif self._known(name, modifier if colon else None):
            self._option(name, word, modifier)
        else:
            raise self._unknown(typed)

    def _command_word(self, command: Command) -> None:
        if self.seen is not None and self.clash is None:
            self.clash = f"-{self.seen.name} and -{command.name}"
        self.seen = self.command = self.command or command

    def _known(self, name: str, modifier: str | None) -> bool:
        """Every option of keytool counts in every command, as there; those that say nothing are ignored."""
        return name in OPTIONS and (modifier is None or (name in PASSWORDS and modifier in ("env", "file")))

    def _option(self, name: str, word: str, modifier: str) -> None:
        if self.command is not None and name not in self.command.options and name not in _EVERYWHERE:
            self.hints.append(self._belongs_elsewhere(name, word))
        typed = word[1:].lower()
        if typed in self.typed and typed not in (*self.repeated, *_MANY):
            self.repeated.append(typed)
        self.typed.add(typed)
        if not OPTIONS[name][0]:
            self.switches.add(name)
            return
        value = self._argument(word)
        if name == "ext":
            self.extensions.append(value)
            return
        for key in (name, f"{name}:env", f"{name}:file"):
            self.values.pop(key, None)
        self.values[f"{name}:{modifier}" if modifier else name] = value

    def _argument(self, word: str) -> str:
        if self.at >= len(self.arguments):
            raise UsageError(f"Command option {word} needs an argument.", self.command)
        self.at += 1
        return self.arguments[self.at - 1]

    def _unknown(self, word: str) -> UsageError:
        return UsageError(f"Illegal option:  {word}", self.command, hint=self._nearest(word))

    def _belongs_elsewhere(self, name: str, word: str) -> str:
        known = [f"-{command.name}" for command in COMMANDS.values() if name in command.options]
        what = "" if self.command is None else f" -{self.command.name}"
        return f'"{word}" says nothing to{what} and was ignored; it belongs to {", ".join(known[:4])}.'

    def _nearest(self, word: str) -> str:
        name = word.lstrip("-" + _DASHES).lower()
        known = set(_BY_WORD) if self.command is None else {*self.command.options, "help"}
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
        if word[:1] != "-" and self.command is not None and name not in near:
            return f'"{word}" stands without an option before it. Put values with blanks in quotation marks.'
        kind = "command" if self.command is None else f"option of -{self.command.name}"
        return f'There is no {kind} "{word}".' + (f' Did you mean "-{near[0]}"?' if near else "")
