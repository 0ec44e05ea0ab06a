"""A client that speaks any version of any API, and shows what comes back as it is."""

import socket
from struct import Struct

from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.codec import decode_whole
from cloudlet.wire.kafka.frames import request_frame

SIZE = Struct(">i")
SECONDS = 20


class RawClient:
    """One connection; `ask` sends a request and waits for its response."""

    def __init__(self, address, client_id="raw"):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), SECONDS)
        self.client_id = client_id
        self.correlation_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, request, version):
        """Send a request; its correlation id."""
        self.correlation_id += 1
        api = apis()[type(request).SCHEMA.key]
        self.socket.sendall(request_frame(api, version, self.correlation_id, self.client_id, request))
        return self.correlation_id

    def receive(self, api, version):
        """The next response, of that API and version; nothing may be left of it."""
        frame = self.frame()
        header = 5 if api.response_header(version) else 4
        return SIZE.unpack_from(frame)[0], decode_whole(api.response, version, frame, header)

    def ask(self, request, version):
        """The response to a request."""
        sent = self.send(request, version)
        correlation_id, response = self.receive(apis()[type(request).SCHEMA.key], version)
        assert correlation_id == sent
        return response

    def frame(self):
        """The next frame without its length; EOFError when the broker has closed the connection."""
        return self.read(SIZE.unpack(self.read(SIZE.size))[0])

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def is_closed(self):
        """Whether the broker closes the connection without another word."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
