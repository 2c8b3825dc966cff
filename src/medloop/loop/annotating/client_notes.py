"""What other programs keep beside images and labels: notes (JSON) and label maps under tags of their own; entries of the audit, no rows.

Nothing of it counts: a tagged label map is no annotation, is not learned from and replaces nothing. Notes about the annotation in force
belong to that annotation, so that a later one does not inherit who approved it.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from medloop.core.errors import InputError
from medloop.core.records import Event, Json
from medloop.images.encode import encode_mask
from medloop.loop.annotating.sent_labels import SentMask
from medloop.loop.foundation.workspace import Workspace
from medloop.store.reader import Reader

NOTE, LABEL = "client-note", "client-label"
"""Nouns of these entries; ids are those of a case or an annotation."""

LONGEST_NOTE = 64_000
"""Characters of one note, as JSON."""

LONGEST_TAG = 100
FINAL, ORIGINAL = "final", "original"
"""Tags of the annotation in force, and of one that came with the images."""

RESERVED = (FINAL, ORIGINAL)


@dataclass(frozen=True)
class TaggedLabel:
    """A label map under a tag: who kept it, when, its blob of mask bytes and which labels it annotates (() for all)."""

    tag: str
    blob: str
    at: str
    actor: str
    annotated: tuple[int, ...]
    info: Json

    @property
    def note_key(self) -> str:
        """The tag under which its notes are kept: those of an earlier file of the same tag are not its own."""
        return f"{self.tag} {self.blob[:16]}"


def note(workspace: Workspace, about: str, info: Mapping[str, Any], *, actor: str, tag: str = "") -> None:
    """Keep what a client says of an image or label; fields that it names take the place of earlier ones.

    Raises:
        InputError: Longer than `LONGEST_NOTE`.
    """
    require_short(info)
    if info:
        with workspace.store.write(actor) as tx:
            tx.record("note", NOTE, about, {"tag": tag, "info": dict(info)})


def require_short(info: Mapping[str, Any]) -> None:
    """Refuse a note that is not kept.

    Raises:
        InputError: Longer than `LONGEST_NOTE`.
    """
    if len(json.dumps(info)) > LONGEST_NOTE:
        raise InputError(f"A note has at most {LONGEST_NOTE} characters as JSON", remedy="keep files elsewhere")


def notes(tx: Reader, about: Collection[str] | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """What clients have said, by id and tag; None for everything."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for event in tx.events_about(NOTE, about, verbs=["note"]):
        found.setdefault((event.noun_id, event.body["tag"]), {}).update(event.body["info"])
    return found


def keep_tagged(workspace: Workspace, case_id: str, tag: str, sent: SentMask, info: Mapping[str, Any], *, actor: str) -> None:
    """Keep a label map under a tag that is none of `RESERVED`; an earlier one of that tag stays in the audit.

    Raises:
        InputError: A tag that cannot be, or a note that is too long.
    """
    checked_tag(tag)
    require_short(info)
    blob = workspace.store.blobs.put(encode_mask(sent.mask))
    body = {"tag": tag, "blob": blob, "annotated": list(sent.annotated), "info": dict(info)}
    with workspace.store.write(actor) as tx:
        tx.record("keep", LABEL, case_id, body)


def drop_tagged(workspace: Workspace, case_id: str, tag: str, *, actor: str) -> None:
    """List a tagged label map no longer; its bytes and its history stay."""
    with workspace.store.write(actor) as tx:
        tx.record("drop", LABEL, case_id, {"tag": tag, "blob": None})


def tagged_labels(tx: Reader, case_ids: Collection[str] | None = None) -> dict[str, dict[str, TaggedLabel]]:
    """The label maps under tags of their own, by case and tag."""
    found: dict[str, dict[str, TaggedLabel]] = {}
    for event in tx.events_about(LABEL, case_ids, verbs=["keep", "drop"]):
        tags = found.setdefault(event.noun_id, {})
        if event.verb == "keep":
            tags[event.body["tag"]] = _label(event)
        else:
            tags.pop(event.body["tag"], None)
    return found


def _label(event: Event) -> TaggedLabel:
    body = event.body
    return TaggedLabel(body["tag"], body["blob"], event.at, event.actor, tuple(body["annotated"]), body["info"])


def checked_tag(tag: str) -> str:
    """A tag of a client's own.

    Raises:
        InputError: Empty, over-long or unprintable, or one of medloop's.
    """
    if not tag or len(tag) > LONGEST_TAG or not tag.isprintable() or tag in RESERVED:
        raise InputError(f"A tag is a word of 1 to {LONGEST_TAG} characters other than {' and '.join(RESERVED)}, got {tag[:40]!r}")
    return tag
