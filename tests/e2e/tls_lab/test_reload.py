"""A certificate is replaced while senders send: they notice the new one, and nothing else."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from keystoretools import Format, Keystore, PrivateKeyEntry, save_keystore
from tests.e2e.tls_lab.lab import Lab
from tests.e2e.tls_lab.load import Load, fresh, kept
from tests.e2e.tls_lab.papers import Papers, key_of
from tests.keystoretools.authority import Made
from tests.support.live import until

GATEWAYS = {
    "main": 'ssl="true" certificate="{folder}/one.pem" private-key="{folder}/one.key"',
    "keystore": 'ssl="true" keystore="{folder}/keystore.jks" keystore-password-file="{folder}/password"',
}


def write_papers(papers: Papers) -> None:
    first = papers.fresh_server()
    papers.write_pair(papers.folder / "one.pem", papers.folder / "one.key", first)
    write(papers.folder / "keystore.jks", keystore(first))
    write(papers.folder / "password", b"geheim\n")


def keystore(made: Made) -> bytes:
    entry = PrivateKeyEntry(alias="server", key=made.key, chain=(made.certificate,), created_ms=0)
    return save_keystore(Keystore(format=Format.JKS, entries=(entry,)), "geheim")


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


def replace(path: Path, data: bytes) -> None:
    """As careful programs do it: the new file takes the name in one step."""
    beside = path.with_name(path.name + ".new")
    write(beside, data)
    beside.rename(path)


def test_replacing_under_load(lab: Lab) -> None:
    """By renaming, in place, both files of a pair one after the other, by a broken file and a mismatch in between: no
    request fails, and each good certificate is presented within seconds."""
    folder = lab.papers.folder
    pem, key, jks = folder / "one.pem", folder / "one.key", folder / "keystore.jks"
    context = lab.context()
    pem_port, jks_port = lab.ports["main"], lab.ports["keystore"]
    with (
        Load(fresh(pem_port, context), kept(pem_port, context)) as of_pem,
        Load(fresh(jks_port, context), kept(jks_port, context)) as of_jks,
    ):
        of_pem.wait_for(10)
        of_jks.wait_for(10)

        renamed = lab.papers.fresh_server()
        replace(key, key_of(renamed))
        replace(pem, renamed.library.public_bytes(Encoding.PEM))
        replace(jks, keystore(renamed))
        wait_for(renamed, of_pem, of_jks)

        # The pair is not one for a moment: nobody gets to see that. The keystore is written in two pieces.
        in_place = lab.papers.fresh_server()
        whole = keystore(in_place)
        pem.write_bytes(in_place.library.public_bytes(Encoding.PEM))
        jks.write_bytes(whole[:500])
        of_pem.wait_for(20)
        key.write_bytes(key_of(in_place))
        with jks.open("ab") as file:
            file.write(whole[500:])
        wait_for(in_place, of_pem, of_jks)

        # A key that does not fit, and no keystore at all: what is there stays, and the operator is told.
        key.write_bytes(key_of(lab.papers.fresh_server()))
        jks.write_bytes(b"no keystore")
        until("the refusal of the pair", lambda: f"{key}: The private key (EC, 256 bits)" in lab.home.log)
        until("the refusal of the keystore", lambda: f"{jks}: The file is plain text" in lab.home.log)
        assert b"the old certificate stays" in lab.home.iadmin("status").stdout.replace(b"\n", b" ")
        of_pem.wait_for(10)
        of_jks.wait_for(10)
        assert [in_place.certificate.sha256.hex()] * 5 == of_pem.certificates[-5:]
        assert [in_place.certificate.sha256.hex()] * 5 == of_jks.certificates[-5:]

        mended = lab.papers.fresh_server()
        lab.papers.write_pair(pem, key, mended)
        jks.write_bytes(keystore(mended))
        wait_for(mended, of_pem, of_jks)
    assert ([], []) == (of_pem.failures, of_jks.failures)
    assert {"202"} == {*of_pem.outcomes, *of_jks.outcomes}
    assert [] == lab.strangers()


def wait_for(made: Made, *loads: Load) -> None:
    for load in loads:
        until("the new certificate", lambda load=load: load.saw(made.certificate.sha256.hex()))
