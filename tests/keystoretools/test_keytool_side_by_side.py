"""The same command lines given to iakeytool and to the real keytool of JDK 17, where there is one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest

from keystoretools import (
    Format,
    Keystore,
    Password,
    PrivateKey,
    PrivateKeyEntry,
    TrustedCertificateEntry,
    make,
    open_keystore,
    read_anything,
    save_keystore,
    write_pem,
)
from keystoretools.dname import parse_name
from keystoretools.keytool.layout import pem
from keystoretools.signing import scheme_named
from tests.keystoretools.conftest import SAMPLES
from tests.keystoretools.keytoolrun import NOW, masked, run, without_trace

GOLDEN = SAMPLES / "golden"
INPUTS = {
    "k.jks": "002-list-jks-two/in/.keystore",
    "kp.jks": "125-keypasswd-prompt/in/k.jks",
    "m.p12": "024-list-p12-mixed/in/m.p12",
    "e.jks": "034-list-weak-v/in/e.jks",
    "new.pfx": "042-importks-seed-prompts/in/new.pfx",
    "r.jks": "196-reply-leaf-only-with-cas/in/.keystore",
    "r0.jks": "076-importcert-reply-p7b-noprompt/in/.keystore",
    "chain.p7b": "076-importcert-reply-p7b-noprompt/in/chain.p7b",
    "leaf.crt": "196-reply-leaf-only-with-cas/in/leaf.crt",
    "ca.crt": "067-importcert-trusted-yes/in/ca.crt",
    "c.pem": "131-printcert-chain/in/c.pem",
    "r.csr": "138-printcertreq/in/r.csr",
}
K, M = "-keystore k.jks -storepass alarmpoint", "-keystore m.p12 -storepass changeit"
NEW = "-keystore n.p12 -storepass changeit"

INTO_K = "-destkeystore k.jks -deststorepass alarmpoint -destkeypass alarmpoint -srckeypass keypass-2"
INTO_N = "-destkeystore n.p12 -deststorepass changeit"

# (what is typed into the pipe, the command line); compared: status, stdout, stderr.
LINES = [
    ("", f"-list {K} -rfc"),
    ("", f"-list -v {M}"),
    ("", f"-list {K} -storetype JCEKS"),
    ("", f"-list {K} -alias APIA -storepass alarmpoint"),
    ("", "-list -keystore c.pem -storepass x"),
    ("", "-list -storetype JKS -keystore c.pem -storepass x"),
    ("", "-list -keystore m.p12"),
    ("", f"-list -storetype FOO {K}"),
    ("", f"-list -protected {K}"),
    ("", f"-exportcert {K} -alias apia -rfc"),
    ("", f"-exportcert {M} -alias aes"),
    ("", f"-delete {K} -alias apia -v"),
    ("new-cert\n", f"-delete {K}"),
    ("", f"-changealias {K} -alias apia -destalias NEW"),
    ("keypass-2\n", "-changealias -keystore kp.jks -storepass storepass1 -alias server -destalias x"),
    ("", f"-storepasswd {M} -new newpass1"),
    ("alarmpoint\nabc\nalarmpoint\nabcdef\nabcdef\n", "-storepasswd -keystore k.jks"),
    ("alarmpoint\nabc\nalarmpoint\nabcdef\nabcdeg\n", "-storepasswd -keystore k.jks"),
    ("", f"-keypasswd {K} -alias apia -new abcdef"),
    ("", f"-keypasswd {M} -alias rsa -new abcdef"),
    ("", "-importkeystore"),
    ("", "-importkeystore -srckeystore nope -destkeystore k.jks -srcstorepass x -deststorepass alarmpoint"),
    ("", "-importkeystore -srckeystore r.jks -destkeystore n.p12 -srcstorepass alarmpoint -deststorepass alarmpoint"),
    ("", "-importkeystore -srckeystore k.jks -destkeystore k.jks -srcstorepass alarmpoint -deststoretype jceks"),
    ("", "-importkeystore -srckeystore kp.jks -destkeystore n.jks -srcstorepass storepass1 -deststorepass abcdef"),
    ("newpass\nnewpass\nchangeit\n", "-importkeystore -srckeystore new.pfx -destkeystore n.jks"),
    ("yes\n", "-importcert -alias server -file c.pem -keystore r0.jks -storepass alarmpoint"),
    ("no\n", "-importcert -alias server -file chain.p7b -keystore r0.jks -storepass alarmpoint"),
    ("yes\n", "-importcert -alias server -file leaf.crt -keystore r0.jks -storepass alarmpoint"),
    ("yes\n", "-importcert -alias server -file ca.crt -keystore r0.jks -storepass alarmpoint"),
    ("what\nno\n", "-import -alias x -file leaf.crt -keystore r0.jks -storepass alarmpoint"),
    ("", "-import -alias x -file leaf.crt -keystore r.jks -storepass alarmpoint -v"),
    ("alarmpoint\nalarmpoint\nyes\n", "-import -alias x -file ca.crt -keystore n.p12"),
    ("", f"-genkeypair {K} -alias x -keyalg RSA -dname CN=x -keypass alarmpoint -keysize 1024"),
    ("abcdef\nabcdeg\nabcdef\nabcdef\n", f"-genkeypair {K} -alias x -keyalg EC -dname CN=x"),
    ("", f"-genkeypair {K} -alias x -keyalg EC -keysize 384 -dname CN=x -keypass alarmpoint -signer apia"),
    ("", f"-genkeypair {NEW} -keyalg Ed25519 -dname CN=x -keypass foobar1"),
    ("", f"-genkeypair {NEW} -keyalg FOO -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname foo"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -startdate soon"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname 'CN=\" a \"'"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x,"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname 'CN=x, '"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname =x"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -ext aia:c=ocsp:uri:http://o"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -ext subjectAltName=dns:a"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -validity 10000000"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -validity 99999999999"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -groupname 'NIST P-384'"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -groupname secp256k1"),
    ("", f"-genkeypair {NEW} -keyalg RSA -dname CN=x -sigalg 1.2.840.113549.1.1.12"),
    ("", f"-genkeypair {NEW} -keyalg RSA -dname CN=x -sigalg SHA3-256withRSA"),
    ("", f"-genkeypair {NEW} -keyalg Ed25519 -dname CN=x -sigalg EdDSA"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -alias ''"),
    ("", f"-gencert {K} -alias apia -infile r.csr -outfile x -ext honored"),
    ("", "-printcert -file none.p7b"),
    ("", "-importcert -alias server -file none.p7b -keystore r0.jks -storepass alarmpoint"),
    ("secret\n", f"-importpass {M} -alias p -v"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -ext san=foo"),
    ("", f"-genkeypair {NEW} -keyalg RSASSA-PSS -keysize 1024 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg RSA -groupname secp256r1 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg EdDSA -groupname Ed448 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg Ed25519 -keysize 448 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg X25519 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg DH -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg RSA -keysize 0 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg RSASSA-PSS -keysize -5 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg Ed25519 -keysize 0 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg DSA -keysize 0 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg DSA -keysize 1500 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg EdDSA -keysize -1 -dname CN=x"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=#1303616263,O=x"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -ext aia=foo"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -ext san=uri:x"),
    ("", f"-genkeypair {NEW} -keyalg EC -dname CN=x -ext san=d:a-,e:a@b,u:urn:x,"),
    ("", f"-gencert {K} -alias apia -infile r.csr -outfile x -ext honored=foo"),
    ("", f"-certreq {K} -alias apia -ext san=dns:a,ip:1.2.3.4 -ext bc:c=pathlen:3 -ext eku=sa,ca -ext ku=ds,keyEnc"),
    ("", f"-certreq {M} -alias rsa -sigalg SHA512withRSA -dname 'CN=\"a, b\", OU=x_y'"),
    ("", "-certreq -keystore e.jks -storepass alarmpoint -alias rsa1024md5"),
    ("secret\n", f"-importpass {M} -alias aes"),
    ("", f"-genseckey {NEW} -keyalg AES -keysize 256"),
    ("", f"-genseckey {NEW} -keyalg AES -keysize 100"),
    ("", f"-genseckey {NEW} -keyalg RC4 -keysize 128"),
    ("", f"-genseckey {NEW} -keyalg Blowfish -keysize 64"),
    ("", f"-genseckey {NEW} -storetype jceks -keypass foobar1 -keyalg ChaCha20 -keysize 256"),
    ("secret\n", f"-importpass {NEW} -keyalg AES -keysize 128"),
    ("secret\n", f"-importpass {NEW} -keyalg PBEWithSHA1AndDESede"),
    ("", "-printcert -file c.pem -rfc"),
    ("", "-printcert"),
    ("", "-printcert -file c.pem -keystore k.jks"),
    ("", "-printcert -file c.pem -keystore k.jks -storepass wrong"),
    ("", "-printcert -sslserver 127.0.0.1:1"),
    ("", "-printcert -sslserver 127.0.0.1:1 -file c.pem"),
    ("", "-printcert -file old.pem -keystore old.jks -storepass alarmpoint"),
    ("", "-printcertreq -file r.csr"),
    ("", f"-list {K} -noprompt"),
    ("", f"-delete {K} -alias apia -noprompt -file x"),
    ("", "-list -destkeystore k.jks -deststorepass alarmpoint -srcalias apia"),
    ("", f"-importkeystore -srckeystore new.pfx -srcstorepass changeit -alias server -dest x {NEW} -storetype JCEKS"),
    ("", "-list -keystore k.jks -storepass x -storepass:env PATH -KeyStore k.jks -storepass alarmpoint"),
    ("", "-keystore k.jks"),
    ("", f"-changealias {K} -alias nope -destalias apia"),
    ("", f"-list {M} -storetype CaseExactJKS"),
    ("", f"-list {K} -storetype bks"),
    ("", f"-list {K} -storetype p12"),
    ("", "-importkeystore -srckeystore k.jks -destkeystore ./k.jks -srcstorepass alarmpoint -deststoretype pkcs12"),
    ("", f"-importkeystore -srckeystore new.pfx -srcstorepass changeit {INTO_N} -destprotected"),
    ("yes\n", "-importcert -alias server -file gap.pem -keystore r0.p12 -storepass alarmpoint"),
    ("", "-importcert -alias server -file old.pem -keystore old.jks -storepass alarmpoint"),
    ("", "-printcertreq -file broken.csr"),
    ("", "-list -delete"),
    ("", "-list -list"),
    ("x\n", "-delete -keystore nothing"),
    ("", f"-list {K} -storepass:foo x"),
    ("", f"-list {K} -storetype PKCS11"),
    ("", "-list -cacerts -keystore x"),
    ("", "-list -storetype PKCS12 -keystore c.pem -storepass x"),
    ("", f"-keypasswd {M}"),
    ("", f"-changealias {M} -alias rsa -destalias x -keypass another1"),
    ("", f"-certreq {M} -alias rsa -keypass another1"),
    ("", f"-importcert {M} -alias x -file chain.p7b -noprompt"),
    (
        "yes\n",
        f"-importkeystore -srckeystore kp.jks -srcstorepass storepass1 {INTO_K} -srcalias server -destalias apia",
    ),
    (
        "",
        f"-importkeystore -srckeystore new.pfx -srcstorepass changeit {INTO_N} -srcalias new-cert -srckeypass another1",
    ),
]


def is_jdk_17() -> bool:
    """Whether the program called keytool speaks as this one does."""
    java = shutil.which("java")
    if shutil.which("keytool") is None or java is None:
        return False
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    return re.search(r'version "17\.', said) is not None


@pytest.fixture(scope="module")
def jdk() -> None:
    if not is_jdk_17():
        pytest.skip("no keytool of JDK 17 here: not compared side by side")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are made for the comparison.

    A chain with a gap as a reply and inside a JKS, a changed request, and a key whose SHA-1 certificate is trusted.
    """
    folder = tmp_path_factory.mktemp("made")
    leaf, _, root = read_anything((GOLDEN / INPUTS["chain.p7b"]).read_bytes()).certificates
    (folder / "gap.pem").write_bytes(write_pem([leaf, root]))
    store = open_keystore((GOLDEN / INPUTS["r0.jks"]).read_bytes(), "alarmpoint")
    key = store.unlock("server")
    assert isinstance(key, PrivateKey)
    server = attrs.evolve(store.private_keys[0], key=key)
    for name, kind, chain in (("r0.p12", Format.PKCS12, server.chain), ("gap.jks", Format.JKS, (leaf, root))):
        entry = attrs.evolve(server, chain=chain)
        keystore = Keystore(format=kind, password=Password("alarmpoint")).add(entry)
        (folder / name).write_bytes(save_keystore(keystore, now_ms=0))
    request = read_anything((GOLDEN / INPUTS["r.csr"]).read_bytes()).requests[0].der
    (folder / "broken.csr").write_text(pem("CERTIFICATE REQUEST", request[:-1] + bytes([request[-1] ^ 1])))
    (folder / "none.p7b").write_bytes(
        bytes.fromhex("302506092a864886f70d010702a01830160201013100300b06092a864886f70d010701a0003100")
    )
    key = make.generate_key("RSA")
    new = make.self_signed(key, parse_name("CN=x"), start=NOW, end=NOW)
    old = make.self_signed(key, parse_name("CN=x"), start=NOW, end=NOW, scheme=scheme_named("SHA1withRSA"))
    (folder / "old.pem").write_bytes(write_pem([old]))
    entries = (
        PrivateKeyEntry(alias="server", key=key, chain=(new,)),
        TrustedCertificateEntry(alias="old", certificate=old),
    )
    keystore = Keystore(format=Format.JKS, password=Password("alarmpoint")).add_all(entries)
    (folder / "old.jks").write_bytes(save_keystore(keystore, now_ms=0))
    return folder


@pytest.mark.usefixtures("jdk")
@pytest.mark.parametrize(("stdin", "line"), LINES, ids=[line for _, line in LINES])
def test_both_say_the_same(stdin: str, line: str, made: Path, tmp_path: Path) -> None:
    """Status, stdout and stderr are equal; dates of the day, our own lines and Java's stack traces aside."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        shutil.copytree(made, folder)
        for name, source in INPUTS.items():
            shutil.copy(GOLDEN / source, folder / name)
    argv = shlex.split(line)
    real = subprocess.run(
        ["keytool", *argv],
        cwd=theirs,
        input=stdin.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    said = run(ours, *argv, stdin=stdin)
    assert masked(without_trace(real.stdout.decode()), ["dates"]) == masked(said.stdout, ["dates"])
    assert masked(real.stderr.decode(), ["dates"]).rstrip("\n") == masked(said.stderr, ["dates"]).rstrip("\n")
    assert real.returncode == said.status
    names = sorted(path.name for path in theirs.iterdir())
    assert names == sorted(path.name for path in ours.iterdir())
