"""What a stop signal undoes, when the command's thread goes on meanwhile."""

import signal
import subprocess
import sys

_COMMAND = """
import threading
from intercom_sync.commands.stop_signals import run_until_stopped, say, when_stopped

child_ended = threading.Event()

def command():
    with when_stopped(lambda _: say("The server is released.")), when_stopped(end_child):
        print("ready", flush=True)
        child_ended.wait()
    return 1

def end_child(_):
    worker = next(one for one in threading.enumerate() if one.name == "command")
    child_ended.set()
    worker.join()

run_until_stopped(command)
"""


def test_all_is_undone_though_the_command_sees_its_child_end_and_returns() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout
        assert command.stdout.readline() == "ready\n"
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
    assert said == "The server is released.\nStopped.\n"
    assert command.returncode == 128 + signal.SIGINT
