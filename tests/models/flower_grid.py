"""Run by the Python of Flower's environment: a coordinator's app over a grid in memory, whose sites do what a test names.

`python flower_grid.py FOLDER FILE` reads {site: what it does} and runs all rounds; the folder then holds what became of them.
"""

import json
import sys
import types
from pathlib import Path

SIDE = Path(__file__).resolve().parents[2] / "src" / "medloop" / "models" / "exchange" / "flower_side"
package = types.ModuleType("side")
package.__path__ = [str(SIDE)]
sys.modules["side"] = package

from flwr.app import ConfigRecord, Message, RecordDict  # noqa: E402
from flwr.supercore.task_identity import TaskIdentity  # noqa: E402
from side import server  # noqa: E402
from side.client import arrays_of, record_of  # noqa: E402

OFFER = {"version": "1", "kind": "segmentation", "labels": {"a": 1}, "channels": 1, "recipe_sha256": "x", "cases": 4}


class Grid:
    """Sites by number; one that is to be silent in a round answers nothing of it."""

    def __init__(self, sites):
        self.sites, self.sent, self.meetings = sites, {}, dict.fromkeys(sites, 0)

    def get_node_ids(self):
        return list(range(len(self.sites)))

    def push_messages(self, messages):
        names = []
        for n, message in enumerate(messages):
            name = f"{len(self.sent)}-{n}"
            self.sent[name] = message
            names.append(name)
        return names

    def pull_messages(self, names):
        return [found for name in names if (found := self.answer(name)) is not None]

    def answer(self, name):
        message = self.sent[name]
        if message is None:
            return None
        site = list(self.sites)[message.metadata.dst_node_id]
        does, told = self.sites[site], json.loads(str(message.content.config_records["terms"]["json"]))
        records, kind = RecordDict(), message.metadata.message_type
        if kind == "query":
            self.meetings[site] += 1
            if does == "never meets":
                self.sent[name] = None
                return None
            off = {"labels": {"b": 1}} if does == "corrected" and self.meetings[site] == 1 else {}
            answer = {**OFFER, "site": site, **off}
        elif kind == "train":
            if does == "silent" and told["round"] == 1:
                self.sent[name] = None
                return None
            records["arrays"] = record_of({key: array + 1 for key, array in arrays_of(message.content.array_records["arrays"]).items()})
            answer = {"site": site, "cases": 4, "steps": 1, "loss": float("nan") if does == "no loss" else 0.5}
        else:
            answer = {"site": site, "words": "has it"}
        records["answer"] = ConfigRecord({"json": json.dumps(answer)})
        self.sent[name] = None
        message.metadata.__dict__["_message_id"] = name
        return Message(content=records, reply_to=message)


TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = 1
server.LATER_SECONDS = server.AGAIN_SECONDS = 0.3
server.Coordinator(Grid(json.loads(sys.argv[2])), Path(sys.argv[1])).run()
