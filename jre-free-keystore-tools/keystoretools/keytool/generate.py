"""`-genkeypair`: a new key and its certificate, self-signed or signed by another entry."""

from __future__ import annotations

from typing import Final

from keystoretools import make, oids
from keystoretools.certificate import Certificate
from keystoretools.dname import build_name, parse_name
from keystoretools.entries import PrivateKeyEntry
from keystoretools.errors import OperationError, UnsupportedError
from keystoretools.keytool import keys, stores, validity, weak
from keystoretools.keytool.ext import read_extensions
from keystoretools.keytool.failures import ARGUMENT, IO, KeytoolError
from keystoretools.keytool.layout import key_words, name_text, plain
from keystoretools.keytool.session import Session
from keystoretools.keytool.stores import Store
from keystoretools.names import Name
from keystoretools.privatekey import PrivateKey
from keystoretools.signing import Scheme, default_scheme, scheme_named

_ALGORITHMS: Final = {
    "RSA": "RSA",
    "RSASSA-PSS": "RSASSA-PSS",
    "DSA": "DSA",
    "EC": "EC",
    "ECDSA": "EC",
    "ED25519": "Ed25519",
    "EDDSA": "EdDSA",
    "ED448": "Ed448",
}
_EDWARDS: Final = {"ED25519": "Ed25519", "ED448": "Ed448"}
_EDWARDS_OF_BITS: Final = {255: "Ed25519", 448: "Ed448"}
_AGREEMENT: Final = {"X25519": "XDH", "X448": "XDH", "XDH": "XDH", "DH": "DH", "DIFFIEHELLMAN": "DH"}
"""What is typed -> Java's word for these keys."""
_THERE_ARE: Final = "There are RSA, RSASSA-PSS, EC, Ed25519, Ed448 and DSA."
SMALL_PRIME_BITS: Final = 1024
"""Up to here a DSA key has a subprime of 160 bits (FIPS 186-4, section 4.2)."""
NO_SIZE: Final = -1
"""Java's own word for a size that is not given, which works on its command line as well."""
EXPONENT_BITS: Final = 17
"""Of 65537, the public exponent of every key that is made."""
_CURVE_OF_BITS: Final = {256: "secp256r1", 384: "secp384r1", 521: "secp521r1"}
_QUESTIONS: Final = (
    ("CN", "What is your first and last name?"),
    ("OU", "What is the name of your organizational unit?"),
    ("O", "What is the name of your organization?"),
    ("L", "What is the name of your City or Locality?"),
    ("ST", "What is the name of your State or Province?"),
    ("C", "What is the two-letter country code for this unit?"),
)
_MOST_ROUNDS: Final = 20


def run(session: Session) -> int:
    """The command."""
    days = validity.days(session.get("validity"))
    algorithm = session.get("keyalg")
    store = stores.open_to_write(session, may_create=True)
    if algorithm is None:
        raise KeytoolError("The -keyalg option must be specified.")
    if session.get("groupname") is not None and session.get("keysize") is not None:
        raise KeytoolError("Cannot specify both -groupname and -keysize")
    alias = session.alias
    if alias in store.keystore:
        raise KeytoolError(f"Key pair not generated, alias <{alias}> already exists")
    signer = _signer(session, store)
    size = validity.whole_number(session.get("keysize"), NO_SIZE)
    key = _key(session, algorithm, None if size == NO_SIZE else size)
    dname = session.get("dname")
    name = ask_name(session) if dname is None else name_of(dname)
    scheme = chosen_scheme(session, signer[1] if signer else key)
    certificate = _certificate(session, key, name, days, signer, scheme)
    _announce(session, key, scheme, name, days)
    password = keys.new_key_password(session, store, alias, session.password("keypass"))
    chain = (certificate, *(signer[0].chain if signer else ()))
    entry = PrivateKeyEntry(alias=alias.lower(), key=key, chain=chain, created_ms=session.now_ms, key_password=password)
    store.keystore = store.keystore.add(entry)
    session.warnings.extend(weak.chain_warnings("The generated certificate", chain))
    if size != NO_SIZE and key.algorithm == "EC":
        session.warnings.append(
            f'Specifying -keysize for generating EC keys is deprecated, please use "-groupname {key.curve}" instead.'
        )
    stores.save(session, store)
    if not certificate.alternative_names and signer is None:
        session.prompts.hint(
            "The certificate has no alternative names, and today's clients look at nothing else: use -ext san=dns:HOST"
            " for a server."
        )
    return 0


def _signer(session: Session, store: Store) -> tuple[PrivateKeyEntry, PrivateKey] | None:
    """The entry that -signer names, and its key."""
    alias = session.get("signer")
    if alias is None:
        return None
    key, _ = keys.private_key(session, store, alias, session.password("signerkeypass"))
    entry = keys.key_entry(session, store, alias)
    if not isinstance(entry, PrivateKeyEntry) or not entry.chain:
        raise KeytoolError(f"Alias <{alias}> has no certificate")
    return entry, key


def _key(session: Session, typed: str, size: int | None) -> PrivateKey:
    """`size` is what -keysize says, None where it is not given: 0 is a size, and a wrong one."""
    algorithm = _ALGORITHMS.get(typed.upper())
    curve = session.get("groupname")
    if typed.upper() in _AGREEMENT:
        raise KeytoolError(
            f"Cannot derive signature algorithm from {_AGREEMENT[typed.upper()]}",
            java_class=ARGUMENT,
            hint=f"{typed} keys sign nothing, so they cannot have a certificate of their own. {_THERE_ARE}",
        )
    if algorithm is None:
        raise KeytoolError(
            f"{typed} KeyPairGenerator not available",
            java_class="java.security.NoSuchAlgorithmException",
            hint=_THERE_ARE,
        )
    if algorithm in ("EdDSA", "Ed25519", "Ed448"):
        algorithm, curve, size = _edwards(algorithm, curve, size), None, None
    elif curve is not None and algorithm != "EC":
        said = "Inappropriate parameter" if algorithm == "DSA" else "Params must be instance of RSAKeyGenParameterSpec"
        raise KeytoolError(said, java_class=ARGUMENT, hint=f"-groupname names a curve; {typed} keys have -keysize.")
    if algorithm == "EC" and size is not None:
        curve = _CURVE_OF_BITS.get(size)
        if curve is None:
            raise KeytoolError(
                f"Not a supported curve: {size} bits", java_class="java.security.spec.InvalidParameterSpecException"
            )
    if algorithm in ("RSA", "RSASSA-PSS") and size is not None and size < EXPONENT_BITS:
        raise KeytoolError(
            f"Public exponent must be no longer than {size} bits",
            java_class=ARGUMENT,
            hint="Leave -keysize out, or say 2048, 3072 or 4096.",
        )
    try:
        return make.generate_key(algorithm, bits=size, curve=curve)
    except UnsupportedError as error:
        text = _about_curve(curve) if curve is not None else _about_size(algorithm, size)
        raise KeytoolError(text, java_class=ARGUMENT, hint=error.sentence) from error


def _about_size(algorithm: str, size: int | None) -> str:
    """Java's words about a size in which it makes no keys."""
    if algorithm != "DSA" or size is None:
        return "Invalid key sizes"
    if size <= SMALL_PRIME_BITS:
        return f"Unsupported prime and subprime size combination: {size}, 160"
    return f"Invalid DSA Prime Size: {size}"


def _about_curve(curve: str) -> str:
    """Java's words about a curve on which it makes no keys."""
    known = next(((name, oid) for oid, (name, _) in oids.CURVES.items() if name.lower() == curve.lower()), None)
    return f"Unknown curve name: {curve}" if known is None else f"Curve not supported: {known[0]} ({known[1]})"


def _edwards(algorithm: str, curve: str | None, size: int | None) -> str:
    """Which of the two: EdDSA leaves it to -groupname or -keysize, the others allow only their own."""
    if curve is None:
        size = (448 if algorithm == "Ed448" else 255) if size is None else size
        named = _EDWARDS_OF_BITS.get(size)
        if named is None:
            raise KeytoolError(f"Unsupported size: {size}", java_class=ARGUMENT, hint="The sizes are 255 and 448.")
    else:
        named = _EDWARDS.get(curve.upper())
        if named is None:
            raise KeytoolError(f"Unsupported name: {curve}", java_class=ARGUMENT, hint="There are Ed25519 and Ed448.")
    if algorithm not in ("EdDSA", named):
        inner = "" if curve is None else "java.security.InvalidParameterException: "
        raise KeytoolError(f"{inner}Parameters must be {algorithm}", java_class=ARGUMENT)
    return named


def chosen_scheme(session: Session, key: PrivateKey) -> Scheme:
    """-sigalg, or keytool's default for the key.  Raises KeytoolError."""
    named = session.get("sigalg")
    try:
        is_default = named is None or (named.upper() == "EDDSA" and key.algorithm in _EDWARDS.values())
        return default_scheme(key) if named is None or is_default else scheme_named(named, bits=key.bits)
    except UnsupportedError as error:
        raise KeytoolError(
            f"{named or key.algorithm} Signature not available",
            java_class="java.security.NoSuchAlgorithmException",
            hint=error.sentence,
        ) from error


def name_of(text: str) -> Name:
    """-dname.  Raises KeytoolError in Java's words."""
    try:
        name = parse_name(text)
    except OperationError as error:
        words, _, advice = error.sentence.partition(" (")
        raise KeytoolError(words, java_class=IO, hint=advice.rstrip(")")) from error
    return name


def ask_name(session: Session) -> Name:
    """The six questions, until "yes".  Raises KeytoolError when the input ends or after twenty rounds."""
    answers = {keyword: "Unknown" for keyword, _ in _QUESTIONS}
    for _ in range(_MOST_ROUNDS):
        for keyword, question in _QUESTIONS:
            answer = session.prompts.ask(f"{question}\n  [{plain(answers[keyword])}]:  ")
            if answer is None:
                break
            answers[keyword] = answer or answers[keyword]
        name = build_name(list(answers.items()))
        answer = session.prompts.ask(f"Is {name_text(name)} correct?\n  [no]:  ")
        if answer is None:
            break
        if answer.strip().lower() in ("y", "yes"):
            session.prompts.err("\n")
            return name
    raise KeytoolError("Too many retries, program terminated", java_class="java.lang.RuntimeException")


def _certificate(
    session: Session,
    key: PrivateKey,
    name: Name,
    days: int,
    signer: tuple[PrivateKeyEntry, PrivateKey] | None,
    scheme: Scheme,
) -> Certificate:
    start = validity.start_date(session.get("startdate"), session.now, session.zone)
    end = validity.end_date(start, days)
    extensions = read_extensions(session.invocation.extensions)
    try:
        if signer is None:
            return make.self_signed(key, name, start=start, end=end, extensions=extensions, scheme=scheme)
        entry, signing_key = signer
        return make.sign(
            key.public_key,
            name,
            issuer=entry.chain[0],
            key=signing_key,
            start=start,
            end=end,
            extensions=extensions,
            scheme=scheme,
        )
    except OperationError as error:
        raise KeytoolError(error.sentence, java_class="java.security.InvalidKeyException") from error


def _announce(session: Session, key: PrivateKey, scheme: Scheme, name: Name, days: int) -> None:
    size, _, kind = key_words(key.public_key).removesuffix(" key").partition("-bit ")
    signer = session.get("signer")
    what = f"and self-signed certificate ({scheme.name})"
    if signer is not None:
        what = f"and a certificate ({scheme.name}) issued by <{plain(signer)}>"
    session.prompts.err(
        f"Generating {int(size):,} bit {kind} key pair {what} with a validity of {days:,} days\n"
        f"\tfor: {name_text(name)}\n"
    )
