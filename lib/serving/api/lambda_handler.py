"""The API as an AWS Lambda function behind API Gateway: name `lib.api.gateway.handler` as the function's handler.

The environment says what is served: COREBOX_EXPORT, an export's folder in the image (else `model` beside the code), and
COREBOX_API, settings such as `api.tokens=/var/task/tokens.json api.formats=[JPEG]`. Tokens are asked for as on any
address that others reach. https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html
"""

import asyncio
import functools
import os
from pathlib import Path

from lib.common import config
from lib.serving import export_check
from lib.serving.api import model_store, server
from lib.serving.api.app import create


def handler(event, context):
    """The answer to an event of API Gateway (REST or HTTP API, function URL, load balancer), as it wants it."""
    return _adapter()(event, context)


@functools.cache
def _adapter():
    """The application, its model loaded, behind an adapter; made at the first event and kept for those that follow."""
    from mangum import Mangum

    folder = Path(os.environ.get("COREBOX_EXPORT") or config.REPOSITORY / "model")
    overrides = config.nest(config.parse_overrides(os.environ.get("COREBOX_API", ""))).get("api", {})
    settings = config.resolve_group("api", {**overrides, "host": "0.0.0.0"})
    server.check_access(settings)
    for export in model_store.exports(folder):
        export_check.check(export)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # the adapter runs each event in this thread's loop
    app = create(folder, settings)
    app.state.service.begin()
    if why := app.state.service.models.reload():
        raise export_check.BadExport("; ".join(why))
    # Its lifespan would begin and end with each event.
    return Mangum(app, lifespan="off", text_mime_types=["text/", "application/json", "application/problem+json"])
