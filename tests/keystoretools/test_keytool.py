"""iakeytool as people use it: the traps of keytool, copied command lines, broken input."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import keystoretools
from keystoretools import Certificate, open_keystore
from keystoretools.contents import read_anything
from keystoretools.privatekey import PrivateKey
from tests.keystoretools.conftest import SAMPLES
from tests.keystoretools.keytoolrun import run

GOLDEN = SAMPLES / "golden"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A folder with the agent's store (password alarmpoint) and a PFX (changeit)."""
    shutil.copy(GOLDEN / "042-importks-seed-prompts/in/.keystore", tmp_path)
    shutil.copy(GOLDEN / "042-importks-seed-prompts/in/new.pfx", tmp_path)
    return tmp_path


def test_an_imported_key_opens_with_the_stores_password(conf: Path) -> None:
    """keytool leaves it under the PFX password, and Java servers fail; here it works, and a line says so."""
    said = run(
        conf,
        *("-importkeystore", "-srckeystore", "new.pfx", "-srcstoretype", "pkcs12", "-destkeystore", ".keystore"),
        stdin="alarmpoint\nchangeit\n",
    )
    store = open_keystore((conf / ".keystore").read_bytes(), "alarmpoint")
    assert (0, ()) == (said.status, store.locked_apart())
    assert any('"server" now has the password of .keystore' in hint for hint in said.hints)


def test_the_guides_next_step_still_works(conf: Path) -> None:
    """A guide goes on with -keypasswd from the PFX password to the store's: done already, status 0."""
    test_an_imported_key_opens_with_the_stores_password(conf)
    said = run(
        conf,
        *("-keypasswd", "-alias", "server", "-keystore", ".keystore", "-storepass", "alarmpoint"),
        *("-keypass", "changeit", "-new", "alarmpoint"),
    )
    assert 0 == said.status
    assert open_keystore((conf / ".keystore").read_bytes(), "alarmpoint").unlock("server")


def test_windows_separators_are_separators(tmp_path: Path) -> None:
    """`conf\\new.pfx` from a Windows article is found on every system, and shown as it was typed."""
    (tmp_path / "conf").mkdir()
    shutil.copy(GOLDEN / "042-importks-seed-prompts/in/new.pfx", tmp_path / "conf")
    said = run(tmp_path, "-list", "-keystore", "conf\\new.pfx", "-storepass", "changeit")
    assert (0, True) == (said.status, "PrivateKeyEntry" in said.stdout)


def test_separators_that_the_shell_took_are_explained(tmp_path: Path) -> None:
    """Unquoted in a shell, `conf\\new.pfx` arrives as `confnew.pfx`: the file that was meant is named."""
    (tmp_path / "conf").mkdir()
    shutil.copy(GOLDEN / "042-importks-seed-prompts/in/new.pfx", tmp_path / "conf")
    said = run(tmp_path, "-list", "-keystore", "confnew.pfx", "-storepass", "changeit")
    assert 1 == said.status
    assert any('"conf/new.pfx"' in hint and "quotation marks" in hint for hint in said.hints)


def test_changing_the_stores_password_names_the_keys_left_behind(conf: Path) -> None:
    """As keytool does, keys of a JKS keep their password; the command that mends it is printed, and works."""
    said = run(conf, "-storepasswd", "-keystore", ".keystore", "-storepass", "alarmpoint", "-new", "newpass1")
    (command,) = [hint.rpartition("iakeytool ")[2] for hint in said.hints if '"apia"' in hint]
    again = run(conf, *command.split(), "-storepass", "newpass1", stdin="alarmpoint\nnewpass1\nnewpass1\n")
    assert 0 == again.status
    assert open_keystore((conf / ".keystore").read_bytes(), "newpass1").unlock("apia")


@pytest.mark.parametrize(
    ("argv", "stdin"),
    [
        (("-genkeypair", "-keyalg", "EC", "-dname", "CN=x", "-keystore", "n.p12"), "abc\nabc\nabc\n"),
        (("-importcert", "-file", "ca.crt", "-keystore", "n.p12", "-storepass", "changeit"), ""),
        (("-exportcert", "-alias", "no", "-file", "o.cer", "-keystore", ".keystore", "-storepass", "alarmpoint"), ""),
        (("-importpass", "-alias", "p", "-keystore", "n.p12", "-storepass", "changeit"), ""),
    ],
)
def test_what_was_not_done_is_no_success(conf: Path, argv: tuple[str, ...], stdin: str) -> None:
    """keytool says 0 for several of these; here a script notices, and no empty or new file is left."""
    shutil.copy(GOLDEN / "067-importcert-trusted-yes/in/ca.crt", conf)
    before = sorted(path.name for path in conf.iterdir())
    assert 1 == run(conf, *argv, stdin=stdin).status
    assert before == sorted(path.name for path in conf.iterdir())


def test_a_refusal_by_the_user_is_as_the_user_wanted(conf: Path) -> None:
    """ "no" is an answer: nothing is added, status 0 as in keytool."""
    shutil.copy(GOLDEN / "067-importcert-trusted-yes/in/ca.crt", conf)
    argv = ("-importcert", "-alias", "ca", "-file", "ca.crt", "-keystore", ".keystore", "-storepass", "alarmpoint")
    said = run(conf, *argv, stdin="no\n")
    assert 0 == said.status
    assert "ca" not in open_keystore((conf / ".keystore").read_bytes(), "alarmpoint")


def test_a_mistyped_store_is_announced(conf: Path) -> None:
    """As keytool does, -importcert makes a new store; a line says where."""
    shutil.copy(GOLDEN / "067-importcert-trusted-yes/in/ca.crt", conf)
    said = run(
        conf, "-importcert", "-noprompt", "-file", "ca.crt", "-keystore", ".keystroe", "-storepass", "alarmpoint"
    )
    assert (f"iakeytool: created new keystore {conf / '.keystroe'}",) == said.hints


def test_a_failed_command_changes_nothing(conf: Path) -> None:
    """Wrong passwords, taken aliases, bad names: the store stays octet for octet."""
    before = (conf / ".keystore").read_bytes()
    store = ("-keystore", ".keystore", "-storepass", "alarmpoint")
    for argv in (
        ("-genkeypair", "-alias", "apia", "-keyalg", "EC", "-dname", "CN=x", *store),
        ("-genkeypair", "-alias", "x", "-keyalg", "EC", "-dname", "x", *store),
        ("-changealias", "-alias", "apia", "-destalias", "APIA", *store),
        ("-delete", "-alias", "none", *store),
        ("-storepasswd", "-new", "short", *store),
        ("-list", "-keystore", ".keystore", "-storepass", "wrong"),
    ):
        assert 1 == run(conf, *argv).status
    assert before == (conf / ".keystore").read_bytes()


def test_passwords_come_from_variables_and_files(conf: Path) -> None:
    """:env and :file, the first line of a file, Windows line ends included."""
    (conf / "pw.txt").write_bytes(b"alarmpoint\r\nsecond line\n")
    by_file = run(conf, "-list", "-keystore", ".keystore", "-storepass:file", "pw.txt")
    by_variable = run(conf, "-list", "-keystore", ".keystore", "-storepass:env", "PW", environ={"PW": "alarmpoint"})
    assert (0, 0) == (by_file.status, by_variable.status)
    missing = run(conf, "-list", "-keystore", ".keystore", "-storepass:env", "PW")
    assert missing.stderr.startswith("Cannot find environment variable: PW\nkeytool -list [OPTION]...")


def test_a_new_identity_from_key_to_signed_reply(tmp_path: Path) -> None:
    """-genkeypair, -certreq, -gencert by a CA made here, -importcert of CA and reply: one chain that holds."""
    ca = ("-keystore", "ca.p12", "-storepass", "changeit", "-alias", "ca")
    ia = ("-keystore", "ia.jks", "-storetype", "JKS", "-storepass", "alarmpoint")
    key = ("-keyalg", "EC", "-keypass", "alarmpoint")
    for argv in (
        ("-genkeypair", *ca, "-keyalg", "EC", "-dname", "CN=Test CA", "-ext", "bc:c"),
        ("-genkeypair", *ia, "-alias", "server", *key, "-dname", "CN=ia.example.com"),
        ("-certreq", *ia, "-alias", "server", "-file", "r.csr", "-ext", "san=dns:ia.example.com"),
        ("-gencert", *ca, "-infile", "r.csr", "-outfile", "r.cer", "-ext", "honored=all"),
        ("-exportcert", *ca, "-rfc", "-file", "ca.cer"),
        ("-importcert", *ia, "-noprompt", "-alias", "root", "-file", "ca.cer"),
        ("-importcert", *ia, "-alias", "server", "-file", "r.cer"),
    ):
        assert 0 == run(tmp_path, *argv).status, argv
    entry = open_keystore((tmp_path / "ia.jks").read_bytes(), "alarmpoint").private_keys[0]
    assert ["CN=ia.example.com", "CN=Test CA"] == [one.subject.text() for one in entry.chain]
    assert ["ia.example.com"] == [name.value for name in entry.chain[0].alternative_names]


def test_a_reply_with_a_gap_is_installed_and_named(tmp_path: Path) -> None:
    """-noprompt installs it as keytool does; the missing issuer is named."""
    shutil.copytree(GOLDEN / "076-importcert-reply-p7b-noprompt/in", tmp_path, dirs_exist_ok=True)
    leaf, _, root = read_anything((tmp_path / "chain.p7b").read_bytes()).certificates
    _write_pem(tmp_path / "gap.pem", leaf, root)
    argv = ("-importcert", "-noprompt", "-alias", "server", "-file", "gap.pem", "-keystore", ".keystore")
    said = run(tmp_path, *argv, "-storepass", "alarmpoint")
    assert 0 == said.status
    assert any("CN=KS Test Issuing CA 1" in hint and "missing" in hint for hint in said.hints)


def test_a_chain_with_a_gap_does_not_enter_a_pkcs12(tmp_path: Path) -> None:
    """The format has no order of certificates: the rest of the chain would be lost.  keytool refuses too, with 0."""
    shutil.copytree(GOLDEN / "076-importcert-reply-p7b-noprompt/in", tmp_path, dirs_exist_ok=True)
    leaf, _, root = read_anything((tmp_path / "chain.p7b").read_bytes()).certificates
    _write_pem(tmp_path / "gap.pem", leaf, root)
    store = ("-keystore", ".keystore", "-storepass", "alarmpoint")
    run(tmp_path, "-importcert", "-noprompt", "-alias", "server", "-file", "gap.pem", *store)
    source = ("-srckeystore", ".keystore", "-srcstorepass", "alarmpoint", "-srcalias", "server")
    said = run(tmp_path, "-importkeystore", *source, "-destkeystore", "n.p12", "-deststorepass", "alarmpoint")
    assert 1 == said.status
    assert (
        "Problem importing entry for alias server: java.security.KeyStoreException: Certificate chain is not valid.\n"
        in said.stderr
    )


def _write_pem(path: Path, *certificates: Certificate) -> None:
    from keystoretools.pem import write_pem

    path.write_bytes(write_pem(list(certificates)))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"<!DOCTYPE html><html>", "Unrecognized keystore format"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "Unrecognized keystore format"),
        (b"\xfe\xed\xfe\xed\x00\x00\x00\x02\x7f\xff\xff\xff", "cannot be read"),
        (b"\xfe\xed\xfe\xed\x00\x00", "keytool error: java.io.EOFException\n"),
    ],
)
def test_what_is_no_keystore_is_explained(tmp_path: Path, content: bytes, text: str) -> None:
    """One keytool error with Java's words where it has some, and a sentence that says what the file is."""
    (tmp_path / "x").write_bytes(content)
    said = run(tmp_path, "-list", "-keystore", "x", "-storepass", "changeit")
    assert (1, True, 1) == (said.status, text in said.stdout, len(said.hints))
    assert 1 == said.stdout.count("\n")


def test_an_alias_with_control_characters_stays_on_its_line(tmp_path: Path) -> None:
    """A terminal escape or a line break in a name is shown, not obeyed."""
    run(tmp_path, "-genseckey", "-keyalg", "AES", "-keysize", "128", "-alias", "a\n\x1b[2Jb", "-keystore", "s.p12",
        "-storepass", "changeit")  # fmt: skip
    said = run(tmp_path, "-list", "-keystore", "s.p12", "-storepass", "changeit")
    assert "a\\n\\x1b[2jb, Nov 20, 2026, SecretKeyEntry, \n" in said.stdout


@pytest.mark.parametrize("size", ["0", "123"])
def test_a_size_without_a_curve_makes_no_key(tmp_path: Path, size: str) -> None:
    """0 is a size, too, and not the default. Java prints the name of a class here."""
    said = run(tmp_path, "-genkeypair", "-keystore", "n.p12", "-storepass", "changeit", "-keyalg", "EC",
        "-keysize", size, "-dname", "CN=x")  # fmt: skip
    assert (1, True) == (said.status, f"Not a supported curve: {size} bits" in said.stdout)
    assert not (tmp_path / "n.p12").exists()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(keystoretools.__file__).parent.parent)}


def test_a_listing_loads_little(conf: Path) -> None:
    """Start-up is the cost of a listing: no cryptography, no Twisted, no TLS library."""
    code = (
        "import sys, json; sys.argv = ['iakeytool', '-list', '-keystore', '.keystore', '-storepass', 'alarmpoint']\n"
        "from keystoretools.keytool.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "json.dump(sorted(sys.modules), sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=conf, env=_environment(), capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stderr[done.stderr.index('["') :]))
    heavy = {"cryptography", "OpenSSL", "twisted", "lxml", "rich", "click", "asyncio", "ssl", "subprocess"}
    assert set() == loaded & heavy
    ours = {name for name in loaded if name.startswith("keystoretools.")}
    assert len(ours) <= 55, sorted(ours)


def test_a_terminal_does_not_show_passwords(conf: Path) -> None:
    """On a terminal the answer to a password question is not echoed."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "keystoretools.keytool.main", "-list", "-alias", "apia", "-keystore", ".keystore"]
    child = subprocess.Popen(command, cwd=conf, env=_environment(), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""
    while b"password:  " not in seen:
        seen += os.read(master, 1024)
    while _echoes(master):
        pass
    os.write(master, b"alarmpoint\n")
    while True:
        try:
            octets = os.read(master, 1024)
        except OSError:  # Linux: the other end is closed
            break
        if not octets:
            break
        seen += octets
    os.close(master)
    assert 0 == child.wait(30)
    assert b"PrivateKeyEntry" in seen
    assert b"alarmpoint" not in seen


def _echoes(descriptor: int) -> bool:
    import termios

    return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)


def test_the_default_store_lies_in_the_home_folder(conf: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without -keystore it is .keystore of the user's home, wherever one stands."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    said = run(elsewhere, "-list", "-storepass", "alarmpoint", home=conf)
    assert "Your keystore contains 1 entry\n" in said.stdout


def test_a_stored_password_comes_back(tmp_path: Path) -> None:
    """-importpass keeps the text; -importkeystore takes it along into a JCEKS."""
    run(tmp_path, "-importpass", "-alias", "db", "-keystore", "s.p12", "-storepass", "changeit", stdin="S3cret!\n")
    argv = ("-importkeystore", "-srckeystore", "s.p12", "-srcstorepass", "changeit", "-destkeystore", "s.jceks")
    run(tmp_path, *argv, "-deststoretype", "JCEKS", "-deststorepass", "other-1")
    key = open_keystore((tmp_path / "s.jceks").read_bytes(), "other-1").unlock("db")
    assert not isinstance(key, PrivateKey)
    assert b"S3cret!" == key.raw.reveal()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_output_that_finds_no_room_is_a_sentence(conf: Path) -> None:
    """A listing or a certificate into a full disk: status 1, one line, no traceback."""
    for argv in (("-list",), ("-exportcert", "-alias", "apia")):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "keystoretools.keytool.main",
                    *argv,
                    "-keystore",
                    ".keystore",
                    "-storepass",
                    "alarmpoint",
                ],
                cwd=conf,
                env=_environment(),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert 1 == done.returncode
        assert "iakeytool: No space left on device: the output is not complete.\n" in done.stderr
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr
