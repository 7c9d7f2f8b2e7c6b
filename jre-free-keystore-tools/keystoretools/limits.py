"""Every ceiling of the package, with the reason and the precedent beside the number.

A number from a file is checked here, and against the octets that are left, before anything is allocated or
calculated.  All refusals are `LimitError` and name the limit and the value found.
"""

from __future__ import annotations

import attrs

from keystoretools.errors import LimitError, short_number

_MIB = 1024 * 1024


@attrs.frozen(kw_only=True)
class Limits:
    """The ceilings; the defaults suit a command line, a server may pass lower ones."""

    # Java's own ceiling (PBES2, PKCS#12 derivation, MAC, JCEKS): whatever Java can read passes.  At the
    # ceiling PBKDF2 costs 1 s, a PKCS#12 derivation 2 s per 20 octets, JCEKS 7 s.  OpenSSL, cryptography: no
    # ceiling.
    iterations: int = 5_000_000
    # What one call may calculate altogether, in steps: one digest of a few octets, 0.35 us in Python.  This is 7.5 s on
    # an idle machine.  An iteration costs one step (PBKDF2 with SHA-256, for every block of its key), two (RC2, JCEKS)
    # or three (3DES under PKCS#12's derivation).  With Java's ceiling everywhere a PBES2 file passes whole (check,
    # certificates and a key are 15 million); a 3DES file opens (check and certificates are 20), and each of its keys
    # in a call of its own.
    steps_in_all: int = 21_000_000
    # scrypt: 256 MiB is N = 2**18, r = 8 and takes 0.7 s (N*r*p steps).  OpenSSL bounds memory (32 MiB) but not p.
    scrypt_memory_bytes: int = 256 * _MIB
    scrypt_parallel: int = 64
    # N*r*p is time as N*r is memory: four times the largest memory, about 3 s.
    scrypt_work_bytes: int = 1024 * _MIB
    # Writers use 8 to 20 octets; attacks carry salts of megabytes.
    salt_bytes: int = 1024
    # Java's cacerts has 0.2 MB.
    file_bytes: int = 64 * _MIB
    # cacerts has 150; a file of 12 octets can claim 2**31.  To list one costs 0.15 ms and 4 KB: 1.5 s and 40 MB in all.
    entries: int = 10_000
    # Keys opened to explain or check a store, or to import from it: at the usual 10,000 iterations 2 million steps.
    # Stores with more than ten keys are test material.
    keys_tried: int = 200
    # Real chains have up to 5.
    chain: int = 1000
    # Certificates with many names reach 100 KiB; a CRL distribution is not a certificate.
    certificate_bytes: int = 4 * _MIB
    # PKCS#8 of RSA 16384 has 9.5 KB.  The JKS key stream costs one SHA-1 per 20 octets.
    key_bytes: int = _MIB
    # Certificates need 12, PKCS#12 about 15; 50 000 nested SEQUENCEs break recursive readers.
    der_depth: int = 32
    # Elements under one parent, and elements passed while looking for the end of an indefinite length.
    der_elements: int = 200_000
    # 4 GiB; DER allows 126 length octets.
    der_length_octets: int = 4
    # The u2 length of Java's writeUTF.
    alias_bytes: int = 65_535
    # Java secret keys have a few hundred octets; deserialisation bombs claim arrays of 2**31.
    serialized_bytes: int = _MIB
    pem_blocks: int = 10_000
    pem_block_bytes: int = 16 * _MIB


@attrs.define(kw_only=True)
class Budget:
    """What one call may still calculate: shared by all keys, contents and MACs that the call opens."""

    limits: Limits = attrs.field(factory=Limits)
    steps_spent: int = 0

    def spend(self, iterations: int, what: str, *, steps: int = 1, alias: str | None = None) -> None:
        """Account for `iterations` rounds of key derivation, of `steps` steps each, before they run.

        `what` completes "The file asks for ..." ("an iteration count for the MAC").
        Raises LimitError for less than 1, more than the ceiling, or more than is left.
        """
        limits = self.limits
        if not 1 <= iterations <= limits.iterations:
            raise LimitError(what, found=iterations, ceiling=limits.iterations, alias=alias)
        self.work(iterations * steps, what, alias=alias)

    def work(self, steps: int, what: str, *, alias: str | None = None) -> None:
        """Account for `steps` steps of calculation, of any kind, before they run.  Raises LimitError."""
        if self.steps_spent + steps > self.limits.steps_in_all:
            raise LimitError(
                what,
                found=self.steps_spent + steps,
                ceiling=self.limits.steps_in_all,
                alias=alias,
                sentence=f"The file costs too much to open: with {what} it comes to"
                f" {short_number(self.steps_spent + steps)} steps of calculation, and one call spends at most"
                f" {self.limits.steps_in_all} (some seconds). Ask for a file with iteration counts of 10000 to 100000.",
            )
        self.steps_spent += steps


def check(name: str, found: int, ceiling: int, *, offset: int | None = None) -> None:
    """Raise LimitError when `found` is above `ceiling`; `name` completes "The file asks for ..."."""
    if found > ceiling:
        raise LimitError(name, found=found, ceiling=ceiling, offset=offset)
