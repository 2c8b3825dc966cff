"""The coordinator's Flower app: who takes part, one round after the other, and the result back to every site.

Its folder, named by the environment, holds the terms (`terms.json`), the weights after each round and what became of each (`rounds.json`):
killed at any moment it goes on after the last finished round. Networks are arrays here; nothing is trained, and no image is seen.
"""

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from .agreement import difference
from .client import arrays_of, record_of
from .updates import Arrays, encode_arrays, flaw_of, norm_of, read_arrays, too_long, weighted_mean

FOLDER, RUN = "MEDLOOP_FEDERATION", "MEDLOOP_FEDERATION_RUN"
POLL_SECONDS = 0.3
GONE_SECONDS = 3.0
"""How long a site that has left the grid may still answer."""

LATER_SECONDS = 10.0
"""After which a site whose name is taken is met again: it may be the same one, back before Flower noticed that it was gone."""

AGAIN_SECONDS = 30.0
"""After which a site that was refused, or silent, is met again: what it was refused for may have been corrected."""

MOST_FAILURES = 3
"""Rounds in a row with too few updates, after which it stops."""

KEPT_ROUNDS = 2
"""Weights of the last rounds that stay in the folder."""

app = ServerApp()


def main(grid: Grid, _: Context) -> None:
    """All rounds; whatever ends them is said, so that nobody waits for a coordinator that is gone."""
    coordinator = Coordinator(grid, Path(os.environ[FOLDER]))
    try:
        coordinator.run()
    except Exception as error:
        coordinator.end(f"stopped: {type(error).__name__}: {error}; start it again to go on after the last finished round")
        raise


app.main()(main)


@dataclass
class Site:
    """A site that takes part."""

    node: int
    name: str
    cases: int


@dataclass
class Replies:
    """What came back of a message to several sites: answers by node, and the others' reasons."""

    answers: dict[int, Message] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)


class Coordinator:
    """One federation.

    Args:
        grid: Flower's way to the sites.
        folder: See the module.
    """

    def __init__(self, grid: Grid, folder: Path) -> None:
        self.grid, self.folder = grid, folder
        self.terms: dict[str, Any] = json.loads((folder / "terms.json").read_text())
        self.rounds: list[dict[str, Any]] = json.loads((folder / "rounds.json").read_text()) if (folder / "rounds.json").exists() else []
        self.sites: dict[int, Site] = {}
        self.refused: dict[int, str] = {}
        self.later: dict[int, float] = {}
        self.known: set[str] = {one["site"] for told in self.rounds for one in told["sites"]}

    def run(self) -> None:
        """Round after round, then the result to every site."""
        arrays, failures = read_arrays(self.folder / weights_name(len(self.rounds))), 0
        if self.rounds:
            self.say(f"goes on after round {len(self.rounds)}")
        self.gather(int(self.terms["sites"]), int(self.terms["min_sites"]))
        while len(self.rounds) < self.terms["rounds"]:
            found = self.round(arrays)
            failures = failures + 1 if found is None else 0
            arrays = found or arrays
            if failures == MOST_FAILURES:
                self.end(f"stopped: {MOST_FAILURES} times in a row too few sites sent an update; start it again to go on from there")
                return
        self.gather(1, 1)
        kept = self.send("evaluate", {"rounds_told": self.rounds}, list(self.sites), arrays)
        for node, message in kept.answers.items():
            self.say(f"{self.sites[node].name}: {_json(message).get('words', 'has it')}")
        for node, reason in kept.lost.items():
            self.say(f"{self.sites[node].name}: does not have the result ({reason})")
        self.end(f"finished: {len(self.rounds)} rounds")

    def round(self, arrays: Arrays) -> Arrays | None:
        """One round; None where too few sites sent an update that counts."""
        self.gather(int(self.terms["min_sites"]), int(self.terms["min_sites"]))
        number, begun = len(self.rounds) + 1, time.monotonic()
        missing = sorted(self.known - {site.name for site in self.sites.values()})
        without = f"; without {', '.join(missing)}" if missing else ""
        self.say(f"round {number} of {self.terms['rounds']}: {', '.join(site.name for site in self.sites.values())}{without}")
        replies = self.send("train", {"round": number}, list(self.sites), arrays)
        left_out = {self.sites[node].name: reason for node, reason in replies.lost.items()}
        names = {node: self.sites[node] for node in replies.answers}
        for node, reason in replies.lost.items():  # nobody waits for it again before it has answered
            self.sites.pop(node)
            self.refused[node], self.later[node] = reason, time.monotonic() + LATER_SECONDS
        updates: dict[str, Arrays] = {}
        facts: dict[str, dict[str, Any]] = {}
        for node, message in replies.answers.items():
            name, (update, told, flaw) = names[node].name, read_update(message, arrays, most=names[node].cases)
            if flaw:
                left_out[name] = flaw
            else:
                updates[name], facts[name] = update, told
        norms = {name: norm_of(update, arrays) for name, update in updates.items()}
        left_out |= too_long(norms, float(self.terms["norm_bound"]))
        used = [name for name in updates if name not in left_out]
        for name, reason in left_out.items():
            self.say(f"round {number}: {name} is left out: {reason}")
        if len(used) < self.terms["min_sites"]:
            self.say(f"round {number} does not count: {len(used)} of at least {self.terms['min_sites']} sites")
            return None
        mean = weighted_mean([updates[name] for name in used], [float(facts[name]["cases"]) for name in used])
        told_of = [{"site": name, "norm": norms[name], **facts[name]} for name in used]
        self.keep(
            {"round": number, "seconds": round(time.monotonic() - begun, 2), "sites": told_of, "left_out": left_out, "missing": missing},
            mean,
        )
        return mean

    def keep(self, told: dict[str, Any], arrays: Arrays) -> None:
        """Write the weights of a round, then the round."""
        write(self.folder / weights_name(told["round"]), encode_arrays(arrays))
        self.rounds.append(told)
        write(self.folder / "rounds.json", json.dumps(self.rounds, indent=1).encode())
        (self.folder / weights_name(told["round"] - KEPT_ROUNDS)).unlink(missing_ok=True)
        sites = ", ".join(f"{one['site']} {one['cases']} cases, {figure_of(one)}" for one in told["sites"])
        self.say(f"round {told['round']} finished in {told['seconds']:.0f} s: {sites}")

    def gather(self, wanted: int, fewest: int) -> None:
        """Meet whoever came, forget whoever left, and wait until all that are wanted are there, or the time is over and the fewest are."""
        told, deadline = False, time.monotonic() + float(self.terms["wait_seconds"])
        while True:
            self.look()
            if len(self.sites) >= wanted:
                return
            if time.monotonic() > deadline and len(self.sites) >= fewest:
                self.say(f"goes on with {len(self.sites)} of {wanted} sites, no more came within {self.terms['wait_seconds']:g} s")
                return
            if not told:
                self.say(f"waits for sites: {len(self.sites)} of {wanted}")
            told = True
            time.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Forget whoever left, and meet whoever came, or may have corrected what was wrong."""
        there, now = set(self.grid.get_node_ids()), time.monotonic()
        for node in set(self.sites) - there:
            self.say(f"{self.sites.pop(node).name} left")
        for node in set(self.later) - there:
            self.later.pop(node)
            self.refused.pop(node, None)
        self.meet([node for node in sorted(there) if node not in self.sites and self.later.get(node, now) <= now])

    def meet(self, nodes: list[int]) -> None:
        """Hold what sites offer against the terms; one that differs is refused, with one line."""
        if not nodes:
            return
        replies = self.send("query", {}, nodes, None)
        for node, message in replies.answers.items():
            offer = _json(message)
            name = str(offer.get("site", node))[:80]
            taken = name in {site.name for site in self.sites.values()}
            if taken and node not in self.later:
                self.say(f"{name} waits: a site of that name is here, or has not left yet")
            reason = str(offer.get("refused", "")) or difference(self.terms, offer) or ("its name is taken" if taken else "")
            reason = reason or ("it has no annotated case" if not _count(offer.get("cases")) else "")
            if reason and taken:
                self.later[node] = time.monotonic() + LATER_SECONDS
            elif reason:
                self.refuse(node, name, reason)
            else:
                self.refused.pop(node, None)
                self.sites[node] = Site(node, name, _count(offer.get("cases")))
                self.known.add(name)
                self.say(f"{name} takes part with {offer['cases']} annotated cases")
        for node, reason in replies.lost.items():
            self.refuse(node, f"site {node}", reason)

    def refuse(self, node: int, name: str, reason: str) -> None:
        """Leave a site out until it is met again; a reason that stays the same is said once."""
        if self.refused.get(node) != reason:
            self.say(f"{name} is refused: {reason}")
        self.refused[node], self.later[node] = reason, time.monotonic() + AGAIN_SECONDS

    def send(self, kind: str, more: Mapping[str, Any], nodes: list[int], arrays: Arrays | None) -> Replies:
        """Send a message to sites and wait for their answers, until the time is over or whoever is silent has left."""
        record = RecordDict({"terms": ConfigRecord({"json": json.dumps({**self.terms, **more})})})
        if arrays is not None:
            record["arrays"] = record_of(arrays)
        sent = self.grid.push_messages([Message(content=record, message_type=kind, dst_node_id=node) for node in nodes])
        waiting = {name: node for name, node in zip(sent, nodes, strict=True) if name}
        found = Replies(lost=dict.fromkeys(set(nodes) - set(waiting.values()), "could not be reached"))
        seconds = float(self.terms["meet_seconds" if kind == "query" else "wait_seconds"])
        deadline, gone = time.monotonic() + seconds, dict[int, float]()
        while waiting and time.monotonic() < deadline:
            for message in self.grid.pull_messages(list(waiting)):
                node = waiting.pop(message.metadata.reply_to_message_id)
                if message.has_error():
                    failed = f"its process failed ({(message.error.reason or 'without a reason')[:200]})"
                    found.lost[node] = failed if node in set(self.grid.get_node_ids()) else "it left"
                else:
                    found.answers[node] = message
            there, now = set(self.grid.get_node_ids()), time.monotonic()
            gone = {node: gone.get(node, now) for node in waiting.values() if node not in there}
            for name, node in list(waiting.items()):
                if now - gone.get(node, now) > GONE_SECONDS:
                    found.lost[waiting.pop(name)] = "it left"
            time.sleep(POLL_SECONDS)
        return Replies(found.answers, found.lost | dict.fromkeys(waiting.values(), f"no answer within {seconds:g} s"))

    def say(self, line: str) -> None:
        """A line for whoever serves."""
        shown = "".join(letter if letter.isprintable() else " " for letter in line)[:1000]
        with (self.folder / "events.log").open("a") as log:
            log.write(f"{shown}\n")

    def end(self, line: str) -> None:
        """The last line, and a file that says so."""
        self.say(line)
        write(self.folder / "ended.json", json.dumps({"words": line, "rounds": len(self.rounds), "run": os.environ.get(RUN, "")}).encode())


def read_update(message: Message, base: Arrays, *, most: int) -> tuple[Arrays, dict[str, Any], str]:
    """Arrays and facts of a site's answer, and why they cannot be used, in words; `most` cases were named when it came."""
    told = _json(message)
    if told.get("refused"):
        return {}, told, str(told["refused"])[:300]
    try:
        update = arrays_of(message.content.array_records["arrays"])
        facts: dict[str, Any] = {"cases": _count(told["cases"]), "steps": _count(told["steps"])}
        if told.get("privacy"):
            facts |= {"loss": None, "privacy": {name: float(told["privacy"][name]) for name in ("epsilon", "delta")}}
        else:
            facts["loss"] = float(told["loss"])
        if not all(math.isfinite(figure) for figure in (facts["loss"] or 0.0, *facts.get("privacy", {}).values())):
            raise ValueError("a figure that is no number")
        flaw = flaw_of(update, base)
    except Exception as error:  # whatever a stranger's bytes raise
        return {}, told, f"its answer cannot be read ({type(error).__name__})"
    if not facts["cases"]:
        return {}, told, "it says it learned from no case"
    if facts["cases"] > most:
        return {}, told, f"it says it learned from {facts['cases']} cases, it came with {most}"
    return update, facts, flaw


def figure_of(one: Mapping[str, Any]) -> str:
    """The loss of a site's round, or what it cost each patient, in words."""
    cost = one.get("privacy")
    return f"ε {cost['epsilon']:.2f} at δ {cost['delta']:g}" if cost else f"loss {one['loss']:.3f}"


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**9 else 0


def _json(message: Message) -> dict[str, Any]:
    try:
        found = json.loads(str(message.content.config_records["answer"]["json"]))
        return found if isinstance(found, dict) else {}
    except (KeyError, ValueError, RecursionError):
        return {}


def weights_name(number: int) -> str:
    """File of the weights after a round; 0 is before the first."""
    return f"round-{number:04d}.safetensors"


def write(file: Path, data: bytes) -> None:
    """Write a file whole, or not at all."""
    beside = file.with_name(f".{file.name}.tmp")
    with beside.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
