"""Starting and stopping the graph's process, with small processes in the graph's place."""

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from serve.config import ROOT
from serve.launch import LaunchError, refuse_if_taken, settings_of, stop, tail, wait_until_silent

LAPTOP = ROOT / "serve" / "config" / "laptop.yaml"


def child(code: str, **options: object) -> subprocess.Popen[bytes]:
    """A Python process of its own group; waits until it says that it is up."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True, cwd=ROOT, **options)  # type: ignore[call-overload]
    assert process.stdout is not None and process.stdout.readline() == b"up\n"
    return process


def test_the_address_and_args_come_from_the_config():
    url, args = settings_of(LAPTOP)
    assert url == "http://127.0.0.1:8000"
    assert args["shop"] == "var/shop"


def test_a_config_that_is_missing_or_wrong_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(ValueError, match=r"nowhere\.yaml does not exist; name a Serve config"):
        settings_of(tmp_path / "nowhere.yaml")
    document = yaml.safe_load(LAPTOP.read_text())
    document["applications"][0]["args"]["generator"]["temprature"] = 1
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ValueError, match=r"args\.generator\.temprature: unknown key"):
        settings_of(tmp_path / "bad.yaml")


def test_an_address_that_is_taken_is_refused_with_the_remedy():
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(LaunchError, match=r"is taken by another server; stop it"):
            refuse_if_taken(url)
        server.shutdown()
    refuse_if_taken(url)


def test_a_server_that_is_going_is_waited_for_and_one_that_stays_is_not():
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        wait_until_silent(url, timeout_s=0.3)
        with pytest.raises(LaunchError):  # it stays: the wait ended all the same
            refuse_if_taken(url)
        gone = threading.Event()
        threading.Timer(0.5, lambda: (server.shutdown(), server.server_close(), gone.set())).start()
        wait_until_silent(url, timeout_s=30)
        assert gone.wait(5)
        refuse_if_taken(url)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_block_even_where_the_shell_had_them_ignored(number: signal.Signals):
    code = (
        "import time\n"
        "from serve.launch import stop_on_signals\n"
        "stop_on_signals()\n"
        "try:\n    print('up', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('stopped', flush=True)\n"
    )
    process = child(code, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    os.kill(process.pid, number)
    assert process.stdout is not None and process.stdout.read() == b"stopped\n"
    assert process.wait(10) == 0


def test_a_graph_that_does_not_stop_when_asked_is_killed_with_all_its_processes():
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('up', flush=True); time.sleep(60)\n"
    )
    process = child(code)
    group = os.getpgid(process.pid)
    stop(process, timeout_s=0.5)
    assert process.returncode == -signal.SIGKILL
    until = time.monotonic() + 10
    while time.monotonic() < until and alive(group):
        time.sleep(0.05)
    assert not alive(group)


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path):
    (tmp_path / "log").write_text("a\nb\nc\n")
    assert tail(tmp_path / "log", lines=2) == "b\nc"
