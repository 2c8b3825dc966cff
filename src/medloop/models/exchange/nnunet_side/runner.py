"""nnU-Net's side of a training and of predictions; run as a file by the Python of an environment that has nnU-Net, and not medloop.

Started as `PYTHON runner.py plan|train|serve`, in a session of its own. The first line of its input is a request as JSON; for plan and
train the input then stays open as a lifeline: when medloop ends, however it ends, so does this process with whatever it has started.
Output is medloop's alone: lines of JSON, or the answers of `serve`, as `medloop.models.exchange.child` reads them. What nnU-Net prints
goes to standard error.
"""

import json
import os
import signal
import struct
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

HEAD = struct.Struct("<Q")
TRAINER = "MedloopTrainer"


def plan(request: dict[str, Any]) -> None:
    """Check the raw data set, plan and preprocess it by nnU-Net's own rules; tells its version and the plans."""
    from importlib.metadata import version

    from nnunetv2.experiment_planning.plan_and_preprocess_entrypoints import plan_and_preprocess_entry

    threads = str(request["threads"])
    sys.argv = ["nnUNetv2_plan_and_preprocess", "-d", "1", "--verify_dataset_integrity", "-npfp", threads, "-np", threads]
    sys.argv += ["-c", request["configuration"]]
    plan_and_preprocess_entry()
    found = json.loads((Path(request["environment"]["nnUNet_preprocessed"]) / request["dataset"] / "nnUNetPlans.json").read_text())
    tell({"version": version("nnunetv2"), "plans": found})


def train(request: dict[str, Any]) -> None:
    """Train one fold, going on where it was when it was stopped."""
    from nnunetv2.run.run_training import run_training_entry

    command = ["nnUNetv2_train", "1", request["configuration"], str(request["fold"]), "-tr", TRAINER, "-device", device()]
    sys.argv = [*command, "--c"] if request["resumed"] else command
    run_training_entry()


def device() -> str:
    """Where nnU-Net computes: on a GPU where PyTorch sees one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def serve(request: dict[str, Any], requests: BinaryIO, answers: BinaryIO) -> None:
    """Load a trained folder and answer images with the probabilities of one fold at a time."""
    import numpy as np

    try:
        network = Folds(Path(request["path"]), request["network"])
        _answer(answers, np.zeros(0, dtype=np.float32), {})
    except Exception as error:
        _answer(answers, np.zeros(0, dtype=np.float32), _failed(error))
        return
    while (line := requests.readline()) != b"":
        arrays = [_received(one, requests) for one in json.loads(line)["arrays"]]
        try:
            _answer(answers, network(*arrays), {"features": network.features})
        except Exception as error:  # the boundary to a program of somebody else
            _answer(answers, np.zeros(0, dtype=np.float32), _failed(error))


class Folds:
    """A trained folder that is ready to predict, fold by fold, without mirroring: medloop asks for mirror images itself."""

    def __init__(self, folder: Path, wanted: dict[str, Any]) -> None:
        import torch
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        self.predictor = nnUNetPredictor(use_mirroring=False, device=torch.device(device()), allow_tqdm=False, verbose=False)
        self.predictor.initialize_from_trained_model_folder(str(folder), tuple(wanted["folds"]), "checkpoint_final.pth")
        torch.set_num_threads(int(wanted["threads"]))
        self.every, self.features = list(self.predictor.list_of_parameters), list[float]()
        self._seen: list[Any] = []
        encoder = getattr(self.predictor.network, "encoder", None)
        if encoder is not None:
            encoder.register_forward_hook(self._look)

    def __call__(self, image: Any, spacing_mm: Any, fold: Any) -> Any:
        """Probabilities (heads, I, J, K) of an image (channels, I, J, K), by one fold."""
        import numpy as np

        self.predictor.list_of_parameters = [self.every[int(fold[0])]]
        self._seen.clear()
        turned = np.ascontiguousarray(image.transpose(0, 3, 2, 1), dtype=np.float32)
        properties = {"spacing": [float(mm) for mm in spacing_mm[::-1]]}
        _, found = self.predictor.predict_single_npy_array(turned, properties, None, None, True)
        self.features = [float(value) for value in np.mean(self._seen, axis=0)] if self._seen else []
        return np.asarray(found, dtype=np.float32).transpose(0, 3, 2, 1)

    def _look(self, _module: Any, _given: Any, found: Any) -> None:
        """Remember the mean of the coarsest level: an embedding of what the network sees."""
        coarsest = found[-1] if isinstance(found, (list, tuple)) else found
        self._seen.append(coarsest.float().flatten(2).mean(dim=(0, 2)).cpu().numpy())


def tell(record: dict[str, Any]) -> None:
    """A line to medloop."""
    os.write(int(os.environ["MEDLOOP_NNUNET_PIPE"]), json.dumps(record).encode() + b"\n")


def _answer(answers: BinaryIO, found: Any, record: dict[str, Any]) -> None:
    data = found.tobytes()
    body = json.dumps({"shape": list(found.shape), "bytes": len(data), **record}).encode()
    answers.write(HEAD.pack(len(body)) + body + data)
    answers.flush()


def _received(one: dict[str, Any], requests: BinaryIO) -> Any:
    import numpy as np

    return np.frombuffer(bytearray(requests.read(int(one["bytes"]))), dtype=one["dtype"]).reshape(one["shape"])


def _failed(error: Exception) -> dict[str, Any]:
    said = (str(error).strip().splitlines() or [""])[-1][:200]
    if isinstance(error, ImportError):
        words = [f"predicting needs nnU-Net ({said})", "name an environment that has it with MEDLOOP_NNUNET_PYTHON"]
        return {"error": words, "code": "unavailable"}
    return {"error": [f"nnU-Net cannot predict ({type(error).__name__}: {said})", "check the image, and the environment of nnU-Net"]}


def _watch() -> None:
    while os.read(0, 1024):
        continue
    os.killpg(0, signal.SIGKILL)


def main(step: str) -> None:
    """One step."""
    pipe = os.dup(1)
    os.dup2(2, 1)  # nnU-Net prints; only the copy is medloop's
    os.environ["MEDLOOP_NNUNET_PIPE"] = str(pipe)
    request = json.loads(sys.stdin.buffer.readline())
    os.environ.update(request.get("environment", {}))
    if step == "serve":
        serve(request, sys.stdin.buffer, os.fdopen(pipe, "wb"))
        return
    threading.Thread(target=_watch, daemon=True).start()
    {"plan": plan, "train": train}[step](request)


if __name__ == "__main__":
    sys.path.pop(0)  # of this folder: its modules must not stand for others
    main(sys.argv[1])
