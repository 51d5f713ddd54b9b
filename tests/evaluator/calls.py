"""Calls of Evaluate that stay open, so that a test can send more and read results in between."""

import queue
import threading

import grpc

from lodescan.v1 import evaluation_pb2 as pb


def name_of(status):
    return pb.Status.Name(status).removeprefix("STATUS_")


class Requests:
    """The requests of a stream, one after the other, until it is closed."""

    def __init__(self, *requests):
        self._queue: queue.SimpleQueue[pb.EvaluateRequest | None] = queue.SimpleQueue()
        for request in requests:
            self._queue.put(request)

    def send(self, request):
        self._queue.put(request)

    def close(self):
        self._queue.put(None)

    def __iter__(self):
        return iter(self._queue.get, None)


class Stream:
    """One call of Evaluate. Results are given as they come, by the id of their point."""

    def __init__(self, server, rows):
        self._requests = Requests(server.request(rows))
        self.call = server.stub.Evaluate(iter(self._requests), timeout=60)
        self._results = (result for reply in self.call for result in reply.results)

    def take(self, count):
        return {result.point_id: result for result in (next(self._results) for _ in range(count))}

    def send(self, **fields):
        self._requests.send(pb.EvaluateRequest(**fields))

    def close(self):
        """Ends the requests; returns the remaining results."""
        self._requests.close()
        return {result.point_id: result for result in self._results}


def statuses(results):
    return {point: name_of(result.status) for point, result in sorted(results.items())}


def collect(call):
    """Collects the statuses of a call in another thread, and its status code under `end`; also gives an event for its
    end.
    """
    found, ended = {}, threading.Event()

    def run():
        try:
            for response in call:
                for result in response.results:
                    found[result.point_id] = name_of(result.status)
            found["end"] = "OK"
        except grpc.RpcError as error:
            found["end"] = error.code().name
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    return found, ended
