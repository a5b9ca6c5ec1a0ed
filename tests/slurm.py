"""A real Slurm of one node on this machine: munged, slurmctld, slurmd, and a plugin like Pyxis."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from tests import services
from tests.services import Service, program, run_program, short_directory

_PLUGIN = Path(__file__).parent / "fakes" / "pyxis.c"
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={directory}/munge.sock
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort={ports[0]}
SlurmctldPidFile={directory}/slurmctld.pid
StateSaveLocation={directory}/state
SlurmdPort={ports[1]}
SlurmdPidFile={directory}/slurmd.pid
SlurmdSpoolDir={directory}/spool
SlurmdLogFile={directory}/slurmd.log
SlurmdDebug=info
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/linear
MpiDefault=none
PlugStackConfig={directory}/plugstack.conf
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=1
PartitionName=all Nodes=n1 Default=YES
"""


class Slurm:
    """Use as a context manager; call it to run one of Slurm's programs there."""

    def __init__(self) -> None:
        services.need_root()
        for name in ("munged", "slurmctld", "slurmd", "sbatch", "cc"):
            program(name)
        self._stack = ExitStack()
        self.directory = self._stack.enter_context(short_directory())
        self.directory.chmod(0o755)
        self.configuration = self.directory / "slurm.conf"
        self.log = self.directory / "slurmd.log"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"SLURM_CONF": str(self.configuration)}

    def __call__(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run_program(*command, check=check, timeout=60, environment=self.environment)

    def __enter__(self) -> Slurm:
        with ExitStack() as stack:
            stack.enter_context(self._stack)
            self._configure()
            munged = self._start(
                stack,
                "munged",
                *("--foreground", f"--key-file={self.directory}/munge.key"),
                f"--socket={self.directory}/munge.sock",
                *(f"--{n}-file={self.directory}/munge.{n}" for n in ("pid", "log", "seed")),
            )
            munged.wait_until((self.directory / "munge.sock").is_socket)
            self._start(stack, "slurmctld", "-D")
            slurmd = self._start(stack, "slurmd", "-D", "-N", "n1")
            slurmd.wait_until(self._idle)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A job outlives the daemons, so it has to be over before they are.
        self("scancel", "--user=root", check=False)
        with suppress(TimeoutError):
            services.wait_for(lambda: not self("squeue", "-h", check=False).stdout.strip())
        self._stack.close()

    def _configure(self) -> None:
        ports = [services.free_port(), services.free_port()]
        self.configuration.write_text(_CONFIGURATION.format(directory=self.directory, ports=ports))
        for name in ("state", "spool"):
            (self.directory / name).mkdir()
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        plugin = self.directory / "pyxis.so"
        run_program(
            "cc", "-shared", "-fPIC", "-nostdlib", f"-DSLURM={_version()}", "-o", str(plugin),
            str(_PLUGIN),
        )  # fmt: skip
        (self.directory / "plugstack.conf").write_text(f"required {plugin}\n")

    def _start(self, stack: ExitStack, name: str, *arguments: str) -> Service:
        directory = self.directory / f"run-{name}"
        directory.mkdir()
        command = [program(name), *arguments]
        return stack.enter_context(Service(name, command, directory, self.environment))

    def _idle(self) -> bool:
        return self("sinfo", "-h", "-o", "%t", check=False).stdout.strip() == "idle"


def _version() -> str:
    """Slurm's version as its plugins have it: 22.05.8 is 0x160508."""
    told = re.findall(r"[0-9]+", run_program("slurmd", "-V").stdout)
    return "0x" + "".join(f"{int(part):02x}" for part in told[:3])
