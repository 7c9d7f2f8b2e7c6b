"""Java itself: what `iadmin keystore` wrote starts a Java TLS server that knows only the keystore's password."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest

from keystoretools import Format, Password
from tests.iadmin.keystores import SERVER, Site, apia, authority, entry, made, pfx

PROGRAM = """
import java.io.FileInputStream;
import java.security.KeyStore;
import javax.net.ssl.*;

public class Presents {
    public static void main(String[] arguments) throws Exception {
        for (int at = 0; at < arguments.length; at += 3) {
            String answer;
            try (FileInputStream file = new FileInputStream(arguments[at])) {
                KeyStore store = KeyStore.getInstance(arguments[at + 1]);
                char[] password = arguments[at + 2].toCharArray();
                store.load(file, password);
                KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
                factory.init(store, password);
                X509KeyManager manager = (X509KeyManager) factory.getKeyManagers()[0];
                String alias = manager.chooseServerAlias("EC", null, null);
                answer = alias + " " + manager.getCertificateChain(alias).length;
            } catch (Exception error) {
                answer = error.toString();
            }
            System.out.println(answer);
        }
    }
}
"""


@pytest.fixture(scope="module")
def presents(tmp_path_factory: pytest.TempPathFactory):
    """Asks Java for the alias it would present, and for the length of its chain, per (file, type, password)."""
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        pytest.skip("no JDK here: not compared with Java")
    source = tmp_path_factory.mktemp("java") / "Presents.java"
    source.write_text(PROGRAM)

    def ask(*stores: tuple[Path, str, str]) -> list[str]:
        arguments = [str(word) for store in stores for word in store]
        done = subprocess.run([java, str(source), *arguments], capture_output=True, text=True, timeout=120, check=True)
        return done.stdout.splitlines()

    return ask


def test_java_starts_with_everything_that_was_written(site: Site, presents) -> None:
    """After each command, in each format; with the key left under another password it does not start."""
    ca = authority()
    site.world.environ |= {"IA_SOURCE_PASSWORD": "of the pfx", "IA_KEY_PASSWORD": "its own"}
    file = site.file("new.pfx", pfx("of the pfx", "new-cert", ca.server, ca.intermediate, ca.root))
    written: list[tuple[Path, str, str]] = []

    def keep(form: str, password: str = "alarmpoint") -> None:
        copy = site.world.cwd / f"{len(written)}.store"
        shutil.copy(site.path, copy)
        written.append((copy, form, password))

    apart = attrs.evolve(entry("new-cert", ca.server), key_password=Password("its own"))
    site.put(entry("apia", apia()), apart)
    keep("JKS")
    assert 0 == site.run("passwd", "--key", "new-cert").status
    keep("JKS")
    for form in (Format.JKS, Format.JCEKS, Format.PKCS12):
        site.put(entry("apia", apia()), format=form)
        assert 0 == site.run("import", file).status
        keep(form.value)
        assert 0 == site.run("create", "zz", "--name", SERVER).status
        keep(form.value)
        site.world.environ["IA_NEW_PASSWORD"] = "quite another"
        assert 0 == site.run("passwd").status
        site.world.environ["IA_KEYSTORE_PASSWORD"] = "quite another"
        keep(form.value, "quite another")
        target = "jks" if form is Format.PKCS12 else "pkcs12"
        assert 0 == site.run("migrate", "--to", target).status
        keep(target.upper(), "quite another")
        del site.world.environ["IA_KEYSTORE_PASSWORD"]
    answers = presents(*written)
    assert "java.security.UnrecoverableKeyException: Cannot recover key" == answers[0]
    assert "new-cert 1" == answers[1]
    assert ["new-cert 3"] * 12 == answers[2:]


def test_the_listing_predicts_what_java_presents(site: Site, presents) -> None:
    """For several keys, of which Java takes one by the hash of its name."""
    keys = [
        entry(alias, made(f"{alias}.example.com")) for alias in ("mykey", "ssl", "xmatters", "tomcat", "agent", "1")
    ]
    predicted, stores = [], []
    for count in range(1, len(keys) + 1):
        for form in (Format.JKS, Format.PKCS12):
            site.put(entry("apia", apia()), *keys[:count], format=form)
            predicted.append(json.loads(site.run("list", "--json").out)["java_would_present"])
            copy = site.world.cwd / f"{len(stores)}.store"
            shutil.copy(site.path, copy)
            stores.append((copy, form.value, "alarmpoint"))
    assert predicted == [answer.split()[0] for answer in presents(*stores)]
