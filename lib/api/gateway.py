"""`lib.api.gateway.handler`: the name of the AWS Lambda function in deployments."""

from lib.serving.api.lambda_handler import handler

__all__ = ["handler"]
