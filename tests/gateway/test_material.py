"""From files to keys and chains: which entry, which password, what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePath

import attrs
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509 import ocsp

from agent.config.tls import ClientAuth, TlsConfig
from agent.errors import OperatorError
from agent.gateway.material import Material, read_material
from agent.gateway.selfsigned import make_pem
from agent.secret import Secret
from agent.storepassword import StorePassword
from keystoretools import Format, Keystore, PrivateKeyEntry, TrustedCertificateEntry, save_keystore
from tests.keystoretools.authority import Made
from tests.support.tls import NOW, MemoryDisk, authority, issued, ocsp_response, pem_of

ROOT, SERVER = authority()
MIDDLE = issued("Issuing", ROOT, authority=True)
LEAF = issued("leaf.example", MIDDLE, names=("leaf.example",))
OTHER = issued("other.example", ROOT, names=("other.example",))


def keystore(
    password: str = "alarmpoint",
    trusted: tuple[Made, ...] = (),
    form: Format = Format.JKS,
    **entries: tuple[Made, ...],
) -> bytes:
    """A store with these private keys and trusted certificates."""
    store = Keystore(format=form).set_password(password)
    for alias, chain in entries.items():
        certificates = tuple(one.certificate for one in chain)
        store = store.add(PrivateKeyEntry(alias=alias, key=chain[0].key, chain=certificates))
    for number, one in enumerate(trusted):
        store = store.add(TrustedCertificateEntry(alias=f"ca{number}", certificate=one.certificate))
    return save_keystore(store)


def read(files: dict[str, bytes], config: TlsConfig | None = None, **facts: object) -> Material:
    arguments: dict[str, object] = {
        "alias": "",
        "read": MemoryDisk(files).read,
        "password": None,
        "selfmade": lambda: make_pem(["plant7.example"], now=NOW),
        "now": NOW,
    }
    return read_material(config or TlsConfig(keystore=PurePath("ks")), **{**arguments, **facts})  # type: ignore[arg-type]


GIVEN = StorePassword(secret=Secret("s3cret"), origin="$GIVEN")
GIVEN_WRONG = StorePassword(secret=Secret("wrong"), origin="$GIVEN")
PEM = TlsConfig(certificate=PurePath("a.pem"), private_key=PurePath("a.key"))


class TestPemFiles:
    def test_key_and_chain_are_found_in_any_order(self) -> None:
        """The root is left out, the issuers are put in order."""
        chain = pem_of(ROOT, key=False) + pem_of(MIDDLE, key=False) + pem_of(LEAF, key=False)
        (found,) = read({"a.pem": chain, "a.key": pem_of(LEAF)}, PEM).identities
        assert (LEAF.certificate, MIDDLE.certificate) == found.chain
        assert ("leaf.example",) == found.names

    def test_one_file_may_hold_both(self) -> None:
        """As many servers want it."""
        config = TlsConfig(certificate=PurePath("a.pem"))
        assert SERVER.certificate == read({"a.pem": pem_of(SERVER)}, config).identities[0].leaf

    def test_a_key_may_be_encrypted(self) -> None:
        """Its passphrase is the first line of a file."""
        locked = LEAF.signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass phrase"))
        files = {"a.pem": pem_of(LEAF, MIDDLE, key=False), "a.key": locked, "p": b"pass phrase\r\nno more\n"}
        config = TlsConfig(certificate=PurePath("a.pem"), private_key=PurePath("a.key"), passphrase_file=PurePath("p"))
        assert LEAF.certificate == read(files, config).identities[0].leaf
        with pytest.raises(OperatorError, match="passphrase-file"):
            read({**files, "p": b"wrong\n"}, config)
        inline = attrs.evolve(config, passphrase_file=None, passphrase=Secret("pass phrase"))
        assert LEAF.certificate == read(files, inline).identities[0].leaf

    def test_a_pair_that_does_not_fit_is_refused(self) -> None:
        """Before the first handshake."""
        with pytest.raises(OperatorError, match=r"a.pem and a.key"):
            read({"a.pem": pem_of(LEAF, key=False), "a.key": pem_of(SERVER)[:300]}, PEM)
        with pytest.raises(OperatorError) as caught:
            read({"a.pem": pem_of(LEAF, key=False), "a.key": pem_of(OTHER).split(b"-----BEGIN CERT")[0]}, PEM)
        told = caught.value.sentence
        assert told.startswith("a.pem and a.key: The private key (")
        assert told.endswith("made for another key; put the certificate and the key that belong together")
        assert "came without its private key" not in told

    def test_a_missing_file_is_named(self) -> None:
        """With its path."""
        with pytest.raises(OperatorError, match=r"no file 'a\.key'"):
            read({"a.pem": pem_of(LEAF, key=False)}, PEM)


class TestKeystores:
    def test_the_only_key_is_taken(self) -> None:
        """Besides `apia`, which belongs to the admin tool; issuers may stand as trusted certificates."""
        found = read({"ks": keystore(apia=(SERVER,), server=(LEAF,), trusted=(MIDDLE, ROOT))}).identities
        assert [("server", (LEAF.certificate, MIDDLE.certificate))] == [(one.alias, one.chain) for one in found]

    def test_several_are_listed_unless_one_is_named(self) -> None:
        """The named one comes first, the others are for those who ask for their names."""
        files = {"ks": keystore(one=(SERVER,), two=(OTHER,))}
        with pytest.raises(OperatorError) as caught:
            read(files)
        assert all(word in caught.value.sentence for word in ('"one"', '"two"', "iadmin keystore use"))
        assert ["two", "one"] == [one.alias for one in read(files, alias="two").identities]

    def test_an_alias_that_is_not_there_is_an_error(self) -> None:
        """Also where there is no keystore at all."""
        with pytest.raises(OperatorError, match="thre"):
            read({"ks": keystore(one=(SERVER,))}, alias="three")
        with pytest.raises(OperatorError, match=r"no file 'ks'"):
            read({}, alias="three")

    def test_passwords_come_from_file_environment_or_default(self) -> None:
        """In this order; the default one is warned of."""
        config = TlsConfig(keystore=PurePath("ks"), keystore_password_file=PurePath("p"))
        files = {"ks": keystore("s3cret", one=(SERVER, ROOT)), "p": b"s3cret\n"}
        assert () == read(files, config, password=GIVEN_WRONG).warnings
        assert () == read(files, password=GIVEN).warnings
        with pytest.raises(OperatorError, match="password"):
            read(files)
        (warning,) = [one for one in read({"ks": keystore(one=(SERVER,))}).warnings if "alarmpoint" in one]
        assert "iadmin keystore passwd" in warning

    def test_a_broken_keystore_is_no_missing_one(self) -> None:
        """No certificate of our own in the place of one that was configured."""
        for data in (b"", b"\xfe\xed\xfe\xed\0\0\0\2\0\0", b"hello"):
            with pytest.raises(OperatorError):
                read({"ks": data})


def test_without_anything_a_certificate_is_made() -> None:
    """For this machine's names; not where a keystore was named."""
    found = read({})
    assert found.is_selfmade
    assert ("plant7.example", "localhost", "127.0.0.1", "::1") == found.identities[0].names
    with pytest.raises(OperatorError, match=r"no file 'ks'"):
        read({}, TlsConfig(keystore=PurePath("ks"), is_keystore_named=True))


class TestWhatComesLater:
    """A certificate that is out of its time is served at a start, and never replaces one that is not."""

    def test_expired_and_not_yet_valid(self) -> None:
        """Each is told at a start, and neither takes the place of a good one."""
        served = read({"ks": keystore(one=(LEAF, MIDDLE))})
        for start in (NOW - timedelta(days=60), NOW + timedelta(days=1)):
            late = issued("leaf.example", MIDDLE, names=("leaf.example",), start=start, days=30)
            files = {"ks": keystore(one=(late, MIDDLE))}
            assert read(files).warnings
            with pytest.raises(OperatorError, match=r"expired|valid only from"):
                read(files, better_than=served)

    def test_anything_is_better_than_what_has_expired(self) -> None:
        """Then the new one is taken as at a start."""
        late = issued("leaf.example", MIDDLE, names=("leaf.example",), days=30)
        old = read({"ks": keystore(one=(late, MIDDLE, ROOT))})
        assert read({"ks": keystore(one=(LEAF,))}, better_than=old).identities
        assert read({"ks": keystore(one=(LEAF,))}, better_than=read({})).identities

    def test_a_chain_that_lost_its_issuer(self) -> None:
        """A gap is refused where there was none, and kept where there was one before."""
        whole, bare = {"ks": keystore(one=(LEAF, MIDDLE))}, {"ks": keystore(one=(LEAF,))}
        with pytest.raises(OperatorError, match="issuer of"):
            read(bare, better_than=read(whole))
        assert read(bare, better_than=read(bare)).identities


class TestTruststores:
    @pytest.mark.parametrize("data", [pem_of(ROOT, MIDDLE, key=False), keystore("changeit", trusted=(ROOT, MIDDLE))])
    def test_pem_and_keystores(self, data: bytes) -> None:
        """Trusted entries, not certificates of keys."""
        config = TlsConfig(keystore=PurePath("ks"), client_auth=ClientAuth.REQUIRED, truststore=PurePath("ca"))
        found = read({"ks": keystore(one=(SERVER,)), "ca": data}, config).anchors
        assert {ROOT.certificate, MIDDLE.certificate} == set(found)

    def test_one_that_does_not_open_is_told(self) -> None:
        """With what to do. (A JKS shows its certificates without the password.)"""
        config = TlsConfig(keystore=PurePath("ks"), client_auth=ClientAuth.REQUIRED, truststore=PurePath("ca"))
        sealed = keystore("hidden", trusted=(ROOT,), form=Format.PKCS12)
        with pytest.raises(OperatorError, match="truststore"):
            read({"ks": keystore(one=(SERVER,)), "ca": sealed}, config)


def test_a_staple_beside_the_certificate_goes_along() -> None:
    """`server.pem.ocsp`, or `.keystore.ALIAS.ocsp`."""
    good = ocsp_response(ROOT, SERVER)
    assert good == read({"ks": keystore(one=(SERVER,)), "ks.one.ocsp": good}).identities[0].staple
    pem = TlsConfig(certificate=PurePath("a.pem"))
    assert good == read({"a.pem": pem_of(SERVER), "a.pem.ocsp": good}, pem).identities[0].staple


@pytest.mark.parametrize(
    ("staple", "why"),
    [
        (b"rubbish", "it is no OCSP response (DER)"),
        (ocsp_response(ROOT, OTHER), "it belongs to another certificate"),
        (ocsp_response(ROOT, SERVER, status="REVOKED"), "it says that the certificate is revoked"),
        (ocsp_response(ROOT, SERVER, start=NOW - timedelta(days=8)), "it has run out on 20"),
        (ocsp_response(ROOT, SERVER, start=NOW + timedelta(days=1)), "it is good only from 20"),
        (
            ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER),
            "it says nothing (try later)",
        ),
    ],
)
def test_a_staple_that_does_harm_stays_at_home(staple: bytes, why: str) -> None:
    """Rubbish, another certificate's, not good, out of its time: a warning says which file, and why."""
    found = read({"ks": keystore(one=(SERVER,)), "ks.one.ocsp": staple})
    assert b"" == found.identities[0].staple
    (warning,) = [one for one in found.warnings if "ocsp" in one]
    assert warning.startswith("ks.one.ocsp is not stapled: " + why)
    assert warning.endswith("; put a new response there, or take the file away")
