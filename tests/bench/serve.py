"""Measure the embedded registry beside CNCF Distribution and nginx: plain and with TLS.

    python -m tests.bench.serve [--files 16] [--megabytes 200] [--rounds 5]

All files are fetched at once, each by a curl of its own, from the page cache and over loopback; the
servers take turns within each round, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from tests import services
from tests.bench.__main__ import machine
from tests.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, compact, digest_of

NAME = "bench/files"


@dataclass(frozen=True, slots=True)
class Running:
    """A server: `url` of a digest, and the processes whose processor time counts."""

    service: services.Service
    url: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Round:
    rate: float
    """Bytes per second."""
    processor: float
    """Seconds of processor that the server took per gigabyte."""
    peak: int
    """The largest resident size of the server's processes so far, in bytes, added up."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where the files are made (3.2 GB)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory, ExitStack() as stack:
        work = Path(directory)
        bundle = work / "bundle"
        digests = make_bundle(bundle, options.files, options.megabytes * 1_000_000)
        authority = services.CertificateAuthority.create(work / "authority")
        pair = authority.issue()
        servers: dict[tuple[str, str], Running] = {}
        for way, keys in (("plain", None), ("TLS", pair)):
            for name, start in (
                ("airgap-tui", start_ours),
                ("Distribution", start_distribution),
                ("nginx", start_nginx),
            ):
                running = start(bundle, digests, keys)
                stack.enter_context(running.service)
                servers[name, way] = running
        rounds: dict[tuple[str, str], list[Round]] = {key: [] for key in servers}
        for number in range(options.rounds + 1):
            for key, running in servers.items():
                measured = measure(running, digests, authority.certificate)
                if number:  # the first warms up
                    rounds[key].append(measured)
    sys.stdout.write(table(rounds, options.files, options.megabytes))
    return 0 if all(ratio(rounds, way) >= 1 for way in ("plain", "TLS")) else 1


def make_bundle(path: Path, files: int, size: int) -> list[str]:
    """An OCI layout with one image, whose layers are the files; their digests."""
    blobs = path / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    content, digests = bytearray(os.urandom(size)), []
    for number in range(files):
        content[:8] = number.to_bytes(8, "big")
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        digests.append(f"sha256:{digest}")
    config = compact({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers"}})
    manifest = compact(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": OCI_LAYER, "digest": d, "size": size} for d in digests],
        }
    )
    for data in (config, manifest):
        (blobs / digest_of(data).partition(":")[2]).write_bytes(data)
    entry = {"mediaType": OCI_MANIFEST, "digest": digest_of(manifest), "size": len(manifest)}
    named = {**entry, "annotations": {"io.containerd.image.name": f"localhost/{NAME}:1"}}
    (path / "index.json").write_bytes(compact({"schemaVersion": 2, "manifests": [named]}))
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return digests


def start_ours(bundle: Path, _digests: Sequence[str], pair: services.KeyPair | None) -> Running:
    port = free_port()
    command = [sys.executable, "-m", "airgap_tui", "serve", str(bundle), "--listen", f"{port}"]
    if pair is not None:
        command += ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)]
    directory = Path(tempfile.mkdtemp(prefix="at-"))
    root = Path(__file__).parents[2]
    service = services.Service("airgap-tui", command, directory, {"PYTHONPATH": str(root)})
    service.wait_until(lambda: listens(port))
    scheme = "http" if pair is None else "https"
    return Running(service, lambda digest: f"{scheme}://127.0.0.1:{port}/v2/{NAME}/blobs/{digest}")


def start_distribution(
    bundle: Path, digests: Sequence[str], pair: services.KeyPair | None
) -> Running:
    """With the bundle's files linked into its storage."""
    root = bundle.parent / ("registry-plain" if pair is None else "registry-tls")
    for digest in digests:
        hexadecimal = digest.partition(":")[2]
        data = root / f"docker/registry/v2/blobs/sha256/{hexadecimal[:2]}/{hexadecimal}/data"
        link = root / f"docker/registry/v2/repositories/{NAME}/_layers/sha256/{hexadecimal}/link"
        data.parent.mkdir(parents=True)
        link.parent.mkdir(parents=True)
        os.link(bundle / "blobs" / "sha256" / hexadecimal, data)
        link.write_text(digest)
    service = services.start_distribution(tls=pair, root=root)
    return Running(service, lambda digest: f"{service.url}/v2/{NAME}/blobs/{digest}")


def start_nginx(bundle: Path, _digests: Sequence[str], pair: services.KeyPair | None) -> Running:
    port = free_port()
    directory = Path(tempfile.mkdtemp(prefix="at-"))
    tls = f"ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key};" if pair else ""
    (directory / "nginx.conf").write_text(
        f"""
        daemon off; master_process on; worker_processes auto; user root;
        pid {directory}/pid; error_log {directory}/log;
        events {{ worker_connections 512; }}
        http {{
          access_log off; sendfile on; tcp_nopush on;
          client_body_temp_path {directory}/a; proxy_temp_path {directory}/b;
          fastcgi_temp_path {directory}/c; uwsgi_temp_path {directory}/d;
          scgi_temp_path {directory}/e;
          server {{
            listen 127.0.0.1:{port} {"ssl" if pair else ""}; {tls}
            ssl_protocols TLSv1.2 TLSv1.3;
            root {bundle}/blobs/sha256;
          }}
        }}
        """
    )
    os.chmod(bundle.parent, 0o755)  # noqa: S103 - nginx's workers may not be root
    command = [need("nginx"), "-p", str(directory), "-c", str(directory / "nginx.conf")]
    service = services.Service("nginx", command, directory)
    service.wait_until(lambda: listens(port))
    scheme = "http" if pair is None else "https"
    return Running(
        service, lambda digest: f"{scheme}://127.0.0.1:{port}/{digest.partition(':')[2]}"
    )


def measure(running: Running, digests: Sequence[str], authority: Path) -> Round:
    """Fetch every file at once."""
    curl = need("curl")
    spent = processor(running.service.pid)
    begun = time.perf_counter()
    clients = [
        subprocess.Popen(
            [
                *(curl, "--silent", "--show-error", "--fail", "--http1.1"),
                # What docker, podman and containerd ask for first, which are written in Go.
                *("--tls13-ciphers", "TLS_AES_128_GCM_SHA256"),
                *("--cacert", str(authority), "--output", "/dev/null"),
                *("--write-out", "%{size_download}", running.url(digest)),
            ],
            stdout=subprocess.PIPE,
        )
        for digest in digests
    ]
    moved = sum(int(client.communicate()[0]) for client in clients)
    seconds = time.perf_counter() - begun
    pid = running.service.pid
    return Round(moved / seconds, (processor(pid) - spent) / (moved / 1e9), peak(pid))


def family(pid: int) -> list[int]:
    """A process and its children; nginx works in several."""
    members = [pid]
    for parent in members:
        with suppress(OSError):
            members += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return members


def processor(pid: int) -> float:
    """Seconds of processor that a server has taken so far."""
    total = 0.0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def peak(pid: int) -> int:
    """Bytes."""
    return sum(
        int(line.split()[1]) * 1024
        for member in family(pid)
        for line in Path(f"/proc/{member}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )


def ratio(
    rounds: dict[tuple[str, str], list[Round]], way: str, peer: str = "Distribution"
) -> float:
    """How many times faster than a peer: the median over the rounds."""
    pairs = zip(rounds["airgap-tui", way], rounds[peer, way], strict=True)
    return statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)


def table(rounds: dict[tuple[str, str], list[Round]], files: int, megabytes: int) -> str:
    lines = [
        machine(),
        f"{files} files of {megabytes} MB at once, medians of"
        f" {len(next(iter(rounds.values())))} rounds.",
        "",
        "| server | | rate | processor per GB | peak memory |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (name, way), measured in rounds.items():
        rate = statistics.median(one.rate for one in measured) / 1e6
        spent = statistics.median(one.processor for one in measured)
        peak = max(one.peak for one in measured) / 1e6
        lines.append(f"| {name} | {way} | {rate:.0f} MB/s | {spent:.2f} s | {peak:.0f} MB |")
    lines.append("")
    for way in ("plain", "TLS"):
        beside = ", ".join(
            f"{ratio(rounds, way, peer):.2f} times {peer}" for peer in ("Distribution", "nginx")
        )
        lines.append(f"{way}: {beside}")
    return "\n".join(lines) + "\n"


def need(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise SystemExit(f"the program {name} is not installed")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


if __name__ == "__main__":
    raise SystemExit(main())
