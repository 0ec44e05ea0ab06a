"""A whole cloud (folder, stores, ports, control verbs) on a thread of the test process."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading

import boto3
import botocore.config

from cloudlet.kernel.settings import Settings
from cloudlet.shell.cloud import Cloud


class WholeCloud:
    """`tell` speaks a control verb, `client` makes boto3 clients."""

    def __init__(self, data, **settings):
        self.data = data
        self._settings = Settings(str(data), ports="auto", **settings)
        self._ready = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()
        assert self._ready.wait(30)
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self):
        self.loop.call_soon_threadsafe(self.cloud.stop)
        self.join()

    def join(self):
        """Wait until it has stopped."""
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self):
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - told to the thread that waits
            self._failure = failure
            self._ready.set()

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        self.cloud = Cloud(self._settings)
        await self.cloud.start()
        self.url = self.cloud.endpoints.get("aws", "")
        self._ready.set()
        await self.cloud.run()
        await self.cloud.close()

    def tell(self, method, path, **body):
        """(status, answer) of a control verb over the socket."""
        return told(self.cloud.data, method, path, **body)

    def done(self, path, **body):
        """The answer of a POSTed verb that must be carried out."""
        status, answer = self.tell("POST", path, **body)
        assert status == 200, answer
        return answer

    def client(self, service):
        return client_of(self.url, service)


def client_of(url, service, **config):
    settings = botocore.config.Config(retries={"max_attempts": 0}, **config)
    return boto3.session.Session().client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test", config=settings,
    )  # fmt: skip


def told(data, method, path, **body):
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(str(data / "control.sock"))
        connection.request(method, path, json.dumps(body) if body else None)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@contextlib.contextmanager
def whole_cloud(data, **settings):
    cloud = WholeCloud(data, **settings).start()
    try:
        yield cloud
    finally:
        cloud.stop()
