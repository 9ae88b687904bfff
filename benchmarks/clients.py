"""Checks of the API with third-party clients, run by a Python that has them installed.

    python benchmarks/clients.py HOST:PORT PICTURE      with tritonclient[http] and kserve installed

Prints one line of JSON: {request: result}. `make reliability PART=clients` creates that Python's environment.
"""

import asyncio
import base64
import json
import sys

import numpy as np


def answered(call):
    """What a call returns, or the error that it raises, as text."""
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]


def triton(address, picture):
    """What tritonclient is told, by its defaults and otherwise."""
    import tritonclient.http as http

    client, model = http.InferenceServerClient(address), "corners"

    def infer(binary, wanted, **parameters):
        given = http.InferInput("image", [1], "BYTES")
        content = picture if binary else base64.b64encode(picture)
        given.set_data_from_numpy(np.array([content], np.object_), binary_data=binary)
        outputs = None if wanted is None else [http.InferRequestedOutput("answer", binary_data=wanted)]
        found = client.infer(model, [given], outputs=outputs, request_id="7", **parameters)
        return json.loads(found.as_numpy("answer")[0])["p1x"]

    return {
        "live": answered(client.is_server_live), "ready": answered(client.is_server_ready),
        "model ready": answered(lambda: client.is_model_ready(model)),
        "server": answered(client.get_server_metadata), "model": answered(lambda: client.get_model_metadata(model)),
        "config": answered(lambda: client.get_model_config(model)),
        "index": answered(client.get_model_repository_index),
        "statistics": answered(lambda: client.get_inference_statistics(model)),
        "load": answered(lambda: client.load_model(model)),
        **{f"infer, binary {binary}, output {wanted}": answered(lambda binary=binary, wanted=wanted: infer(binary, wanted))
           for binary in (True, False) for wanted in (None, True, False)},
        "infer with parameters": answered(lambda: infer(True, None, sequence_id=5, sequence_start=True, priority=1,
                                                        timeout=1000, parameters={"mode": 8})),
    }


def kserve(address, picture):
    """What kserve's client is told."""
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def ask():
        client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
        url = f"http://{address}"

        async def infer(binary):
            given = InferInput("image", [1], "BYTES")
            content = picture if binary else base64.b64encode(picture)
            given.set_data_from_numpy(np.array([content], np.object_), binary_data=binary)
            found = await client.infer(url, InferRequest("corners", [given]), model_name="corners")
            return json.loads(found.outputs[0].as_numpy()[0])["p1x"]

        async def answered(call):
            try:
                return await call
            except Exception as error:
                return f"{type(error).__name__}: {error}"[:200]

        return {"live": await answered(client.is_server_live(url)), "ready": await answered(client.is_server_ready(url)),
                "model ready": await answered(client.is_model_ready(url, "corners")),
                "infer, binary": await answered(infer(True)), "infer, base64": await answered(infer(False))}

    return asyncio.run(ask())


if __name__ == "__main__":
    with open(sys.argv[2], "rb") as file:
        content = file.read()
    print(json.dumps({"tritonclient": triton(sys.argv[1], content), "kserve": kserve(sys.argv[1], content)}))
