"""What a site's Flower process does with a message: it hands it to the process that holds the project, and carries its answer back.

Arrays and JSON go over files of a folder that belongs to the site's user alone. Nothing of the project is read here.
"""

import json
import os
import time
import uuid
from pathlib import Path

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from .updates import Arrays, encode_arrays, read_arrays

FOLDER = "MEDLOOP_FEDERATION_SITE"
POLL_SECONDS = 0.1

app = ClientApp()


def meet(message: Message, _: Context) -> Message:
    """Whether this site takes part."""
    return _answered("meet", message)


def learn(message: Message, _: Context) -> Message:
    """One round of training on the site's own annotations."""
    return _answered("learn", message)


def keep(message: Message, _: Context) -> Message:
    """The result of all rounds."""
    return _answered("keep", message)


def _answered(verb: str, message: Message) -> Message:
    folder, name = Path(os.environ[FOLDER]), f"{verb}-{uuid.uuid4().hex}"
    content = message.content
    facts = json.loads(str(content.config_records["terms"]["json"]))
    if "arrays" in content.array_records:
        _write(folder / "in" / f"{name}.safetensors", encode_arrays(arrays_of(content.array_records["arrays"])))
    _write(folder / "in" / f"{name}.json", json.dumps({"verb": verb, "terms": facts}).encode())
    answer = folder / "out" / f"{name}.json"
    while not answer.exists():
        time.sleep(POLL_SECONDS)
    found = answer.read_text()
    answer.unlink()
    file = answer.with_suffix(".safetensors")
    records = RecordDict({"answer": ConfigRecord({"json": found})})
    if file.exists():
        records["arrays"] = record_of(read_arrays(file))
        file.unlink()
    return Message(content=records, reply_to=message)


app.query()(meet)
app.train()(learn)
app.evaluate()(keep)


def arrays_of(record: ArrayRecord) -> Arrays:
    """The arrays of a Flower record; `Array.numpy` reads them without pickle."""
    return {str(name): array.numpy() for name, array in record.items()}


def record_of(arrays: Arrays) -> ArrayRecord:
    """Arrays as a Flower record."""
    return ArrayRecord({name: Array(array) for name, array in arrays.items()})


def _write(file: Path, data: bytes) -> None:
    beside = file.with_name(f".{file.name}.tmp")
    beside.write_bytes(data)
    beside.replace(file)
