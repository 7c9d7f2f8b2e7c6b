"""HTTP authentication as a client: challenges read, Basic and Digest answered (RFC 9110 11, RFC 7616). Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

MAX_CHALLENGE_CHARS: Final = 8192

_PART: Final = re.compile(
    r"""\s*,?\s*(?:
        (?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]+))
        | (?P<scheme>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ ]+(?P<token>[A-Za-z0-9._~+/-]+=*)(?=\s*(?:,|$)))?
    )""",
    re.VERBOSE,
)

_HASHES: Final = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256, "SHA-512-256": None}


@attrs.frozen(kw_only=True)
class Challenge:
    """One challenge; `scheme` and the names of the parameters are lower case."""

    scheme: str
    parameters: Mapping[str, str]


def challenges_in(values: Sequence[str]) -> list[Challenge]:
    """Read the values of `Proxy-Authenticate` or `WWW-Authenticate`; what cannot be read is left out."""
    found: list[tuple[str, dict[str, str]]] = []
    for value in values:
        text, place = value[:MAX_CHALLENGE_CHARS], 0
        while (part := _PART.match(text, place)) is not None and part.end() > place:
            place = part.end()
            if part["scheme"]:
                found.append((part["scheme"].lower(), {}))
            elif found:
                quoted = part["quoted"]
                plain = part["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                found[-1][1].setdefault(part["name"].lower(), plain)
    return [Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in found]


def chosen_of(found: Sequence[Challenge]) -> Challenge | None:
    """The challenge to answer: Digest before Basic, because the password does not leave then; None where only others
    are offered."""
    answerable = (each for each in found if is_answerable(each))
    return next(answerable, next((each for each in found if each.scheme == "basic"), None))


def offered_by(found: Sequence[Challenge]) -> str:
    """The schemes of the challenges, for a sentence."""
    return ", ".join(dict.fromkeys(each.scheme.upper() for each in found)) or "nothing that is known"


def is_answerable(challenge: Challenge) -> bool:
    """Whether `digest` can answer it."""
    algorithm = challenge.parameters.get("algorithm", "MD5").upper().removesuffix("-SESS")
    qop = challenge.parameters.get("qop")
    return (
        challenge.scheme == "digest"
        and _HASHES.get(algorithm) is not None
        and "nonce" in challenge.parameters
        and (qop is None or "auth" in [each.strip().lower() for each in qop.split(",")])
    )


def answer_to(challenge: Challenge, *, user: str, password: str, method: str, uri: str, cnonce: str, count: int) -> str:
    """The value of the authorization field for a challenge of `chosen_of`; the last three are for Digest."""
    if challenge.scheme == "basic":
        return basic(user, password)
    return digest(challenge, user=user, password=password, method=method, uri=uri, cnonce=cnonce, count=count)


def basic(user: str, password: str) -> str:
    """The value of the authorization field for HTTP Basic (RFC 7617), in UTF-8."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode('ascii')}"


def digest(challenge: Challenge, *, user: str, password: str, method: str, uri: str, cnonce: str, count: int) -> str:
    """The value of the authorization field; `count` is how often the nonce has been used, this time included."""
    given = challenge.parameters
    algorithm = given.get("algorithm", "MD5")
    make = _HASHES[algorithm.upper().removesuffix("-SESS")]
    assert make is not None, "is_answerable has said so"

    def hashed(*parts: str) -> str:
        return make(":".join(parts).encode()).hexdigest()

    realm, nonce, turn = given.get("realm", ""), given["nonce"], f"{count:08x}"
    secret = hashed(user, realm, password)
    if algorithm.upper().endswith("-SESS"):
        secret = hashed(secret, nonce, cnonce)
    asked = hashed(method, uri)
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
    shown = [f'{name}="{_quoted(value)}"' for name, value in fields.items()]
    if "qop" in given:
        response = hashed(secret, nonce, turn, cnonce, "auth", asked)
        shown += ["qop=auth", f"nc={turn}", f'cnonce="{cnonce}"']
    else:
        response = hashed(secret, nonce, asked)
    shown.append(f'response="{response}"')
    if "algorithm" in given:
        shown.append(f"algorithm={algorithm}")
    if "opaque" in given:
        shown.append(f'opaque="{_quoted(given["opaque"])}"')
    return f"Digest {', '.join(shown)}"


def _quoted(value: str) -> str:
    return re.sub(r'([\\"])', r"\\\1", value)
