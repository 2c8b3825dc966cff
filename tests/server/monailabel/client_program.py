"""Drives monailabel's own client (run with the package on PYTHONPATH): what it got, as JSON on standard output."""

import json
import sys
from pathlib import Path

from monailabel.client.client import MONAILabelClient, MONAILabelClientException

url, folder, label, image = sys.argv[1:5]
name, password = sys.argv[5:7] if len(sys.argv) > 6 else ("", "")
client = MONAILabelClient(url, tmpdir=folder, client_id="contract")
got: dict = {"auth": client.auth_enabled()}
if name:
    client.update_auth(client.auth_token(name, password))
    got["valid"] = client.auth_valid_token()
got["info"] = client.info()
got["sample"] = client.next_sample("medloop", {})
case = got["sample"]["id"]
got["info again, with the headers of the call before"] = client.info()["name"]
got["datastore"] = client.datastore()
file, params = client.infer("segmentation", case, {"result_extension": ".nrrd", "result_dtype": "uint8"})
got["infer"] = {"file": file, "bytes": len(Path(file).read_bytes()), "params": params}
got["saved"] = client.save_label(case, label, params={"label_info": [{"name": "large", "idx": 1}, {"name": "small", "idx": 2}]})
got["downloaded"] = client.download_label(case, "final")
session = client.create_session(image) if not name else None
got["session"] = session and client.get_session(session["session_id"])
got["in a session"] = session and client.infer("segmentation", "", {}, session_id=session["session_id"])[1]["label_names"]
got["removed"] = session and client.remove_session(session["session_id"])["name"]
got["training"] = client.train_status(check_if_running=True)
got["trained"] = client.train_start("medloop", {})["status"]
got["stopped"] = client.train_stop()
got["status"] = client.train_status()["status"]
got["uploaded"] = client.upload_image(image, "arrived")
try:
    client.infer("nothing", case, {})
except MONAILabelClientException as error:
    got["refused"] = error.msg
print(json.dumps(got))
