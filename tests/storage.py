"""A local S3 server with one bucket, where fsspec and boto3 find it."""

import contextlib
import os


@contextlib.contextmanager
def s3(bucket):
    """The boto3 client of a server that lives for a while, in place of any other."""
    import boto3
    import s3fs
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    told = {"AWS_ENDPOINT_URL": "http://{}:{}".format(*moto.get_host_and_port()), "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    kept = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    s3fs.S3FileSystem.clear_instance_cache()  # one of before would still ask the server of before
    try:
        client = boto3.client("s3")
        client.create_bucket(Bucket=bucket)
        yield client
    finally:
        moto.stop()
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
