"""Processes that are started, watched and stopped, each by its id."""

import os
import signal
import socket
import subprocess
import time

from .trouble import Trouble

# Generous: on a busy machine a JVM takes its time.
START_SECONDS = 120
STOP_SECONDS = 60
# Between two looks at something that is waited for.
LOOK_SECONDS = 0.05


def free_port():
    """A TCP port of 127.0.0.1 that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, condition, seconds=START_SECONDS):
    """The first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(LOOK_SECONDS)
    raise Trouble(f"waited {seconds} s in vain for {what}")


class Child:
    """A process with its output in a file."""

    def __init__(self, name, command, log, **options):
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for us: we stop the others in their order.
                start_new_session=True,
                **options,
            )

    @property
    def pid(self):
        """Its process id."""
        return self.process.pid

    def output(self):
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def must_run(self):
        """Trouble if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise Trouble(f"{self.name} ended with status {code}:\n{tail(self.output())}")

    def wait_for(self, what, condition, seconds=START_SECONDS):
        """Waits for `condition` while the process runs."""

        def look():
            self.must_run()
            return condition()

        try:
            return wait_until(what, look, seconds)
        except Trouble as trouble:
            if self.process.poll() is not None:
                raise
            raise Trouble(f"{trouble}; the last of {self.name}:\n{tail(self.output())}") from None

    def wait_for_port(self, port):
        """Waits until it accepts connections."""
        self.wait_for(f"{self.name} on port {port}", lambda: accepts(port))

    def stop(self):
        """SIGTERM, and SIGKILL to one that does not go."""
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def accepts(port):
    """Whether somebody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def tail(text, lines=15):
    """The last lines of a log."""
    return "\n".join(text.splitlines()[-lines:])


def cpu_seconds(pid):
    """User and system time of a process so far (proc(5))."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        # The name, in parentheses, may hold anything.
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid, field="VmRSS"):
    """Resident memory now, or with `VmHWM` the most there was (proc(5))."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise Trouble(f"/proc/{pid}/status has no {field}")
