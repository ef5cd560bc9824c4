"""Runs the builder as its launcher does, and reads how long its phases took from its events."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# How the internet is reached from this machine, which package managers have to know.
NETWORK = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"]


@dataclass
class Built:
    """A build that published: its phases and its whole process, in seconds, and what its plan decided."""

    phases: dict[str, float]
    seconds: float
    decisions: dict[str, str]

    def sum(self, *phases: str) -> float:
        return sum(self.phases.get(phase, 0) for phase in phases)


class NotBuilt(SystemExit):
    """A build did not publish. Nobody has to catch it: it ends a measurement."""


def release(*packages: str) -> Path:
    """Compiles packages of the workspace, and returns the directory with their programs."""
    return compiled("release", ["--release"], packages)


def debug(*packages: str) -> Path:
    """The same as `release`, sooner, for what does not measure our own part."""
    return compiled("debug", [], packages)


def compiled(directory: str, profile: list[str], packages: tuple[str, ...]) -> Path:
    named = [argument for package in packages for argument in ("-p", package)]
    subprocess.run(["cargo", "build", *profile, "--locked", *named], cwd=ROOT, check=True)
    return ROOT / "target" / directory


def build(program: Path, variables: dict[str, str]) -> Built:
    """Runs one build of a repository on this machine."""
    environment = {name: os.environ[name] for name in ["PATH", *NETWORK] if name in os.environ}
    environment |= {
        "GITDEPLOY_BUILD_ALLOW_SCHEMES": "git,http,https",
        "GITDEPLOY_BUILD_ALLOW_PRIVATE_ADDRESSES": "true",
        **variables,
    }
    start = time.monotonic()
    done = subprocess.run([program], env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - start
    events = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0:
        lines = [event["text"] for event in events if event["kind"] == "log"]
        said = "\n".join([*lines[-30:], done.stderr])
        raise NotBuilt(f"the builder exited with {done.returncode}: {events[-1:]}\n{said}")
    finished = [event for event in events if event["kind"] == "phase" and event["state"] == "finished"]
    phases = {event["phase"]: event["ms"] / 1000 for event in finished}
    plans = [event["decisions"] for event in events if event["kind"] == "plan"]
    decisions = {decision["name"]: decision["value"] for plan in plans for decision in plan}
    return Built(phases, seconds, decisions)


class GitDaemon:
    """`git daemon` for all repositories below a directory, on a free port of the loopback address."""

    def __init__(self, directory: Path, port: int) -> None:
        self.url = f"git://127.0.0.1:{port}"
        command = ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all"]
        self.process = subprocess.Popen([*command, f"--base-path={directory}", str(directory)])

    def __enter__(self) -> "GitDaemon":
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def commit(directory: Path) -> None:
    """Makes a directory a repository with one commit of all that is in it."""
    identity = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "All files"]):
        subprocess.run(["git", *identity, *arguments], cwd=directory, check=True)
