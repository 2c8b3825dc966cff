"""Words in place of identifiers, by keyed hash: the same for the same identifier within a project, and nothing without its key.

Source: RFC 2104 (HMAC), ITU-T X.667 (UIDs from UUIDs, below 2.25), DICOM PS3.15 annex E (options for UIDs and for modified dates).
"""

import hmac
import uuid
from dataclasses import dataclass, field

KEY_BYTES = 32
STANDARD = "1.2.840.10008."
"""How UIDs of the standard itself begin (classes, transfer syntaxes): they name nobody."""

LONGEST_SHIFT_DAYS = 1825
"""Dates move back by 1 to as many days: five years, so that seasons and ages are hidden and order is not."""


@dataclass(frozen=True)
class Pseudonyms:
    """The words of one project.

    Attributes:
        key: Secret; whoever has it can try out identifiers.
    """

    key: bytes = field(repr=False)

    def uid(self, uid: str) -> str:
        """The UID that stands for another; "" stays "", and those of the standard stay."""
        if not uid or uid.startswith(STANDARD):
            return uid
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', uid)[:16], version=4).int}"

    def patient(self, word: str) -> str:
        """The word for a patient, from an identifier or from another word for one; "" stays ""."""
        return f"patient-{self._digest('patient', word).hex()[:12]}" if word else ""

    def case(self, name: str) -> str:
        """The name of a case whose own may name somebody."""
        return f"case-{self._digest('case', name).hex()[:12]}"

    def days(self, patient: str) -> int:
        """How many days the dates of a patient move back, 1 to `LONGEST_SHIFT_DAYS`; the same for all of them."""
        return 1 + int.from_bytes(self._digest("days", patient)[:8], "big") % LONGEST_SHIFT_DAYS

    def share(self, patient: str) -> float:
        """A number in 0..1 for a patient that nobody can tell without the key: who is drawn cannot be foreseen."""
        return int.from_bytes(self._digest("share", patient)[:8], "big") / 2**64

    @property
    def mark(self) -> str:
        """Tells keys apart and does not tell the key."""
        return self._digest("mark", "").hex()[:8]

    def _digest(self, what: str, text: str) -> bytes:
        return hmac.digest(self.key, f"{what}\0{text}".encode(errors="surrogatepass"), "sha256")
