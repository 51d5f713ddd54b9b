"""The processes of workers, whose ends several threads look at."""

import os
import threading
from multiprocessing import connection, forkserver

from evaluator.executors.forked import ForkedProcess


def test_threads_that_ask_at_once_get_the_same_exit_code(monkeypatch):
    """Each start of a worker looks at all others; one of them may have just been killed."""
    process = ForkedProcess(target=os._exit, args=(3,))
    process.start()
    assert connection.wait([process.sentinel], 60)
    read, codes = forkserver.read_signed, []
    other = threading.Thread(target=lambda: codes.append(process.exitcode))

    def while_another_thread_asks(descriptor):
        code = read(descriptor)
        if other.ident is None:
            other.start()
            other.join(0.2)  # it waits for the code, or gets a wrong one
        return code

    monkeypatch.setattr(forkserver, "read_signed", while_another_thread_asks)
    codes.append(process.exitcode)
    other.join(60)
    assert codes == [3, 3]
