"""Make the buckets that are named, where they are missing; wait for a store that is not up yet.

python make_buckets.py mlflow dvc state; address and keys from the environment, as boto3 reads them.
"""

import sys
import time

import boto3
from botocore import exceptions
from botocore.config import Config

WAIT_S, PAUSE_S = 300.0, 2.0
#: What S3 says of a bucket that is there already.
THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


def main(names: list[str]) -> None:
    """Make each bucket."""
    end = time.monotonic() + WAIT_S
    store = boto3.client("s3", config=Config(connect_timeout=5, read_timeout=15, retries={"max_attempts": 1}))
    for name in names:
        while not _made(store, name):
            if time.monotonic() > end:
                raise SystemExit(
                    f"The object store did not answer for {WAIT_S:.0f} s: is it up, and may this pod reach it?"
                )
            time.sleep(PAUSE_S)
        sys.stdout.write(f"bucket {name}: there\n")


def _made(store: "boto3.client", name: str) -> bool:
    try:
        store.create_bucket(Bucket=name)
    except (exceptions.ConnectionError, exceptions.HTTPClientError):
        return False
    except exceptions.ClientError as error:
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= 500:
            return False
        if code not in THERE:
            raise SystemExit(f"The object store refused bucket {name}: {code}.") from None
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
