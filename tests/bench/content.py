"""Realistic content: five images of gzip layers, made from what the machine has, kept in a cache.

The layers are parts of this machine's Debian root file system, its Python installations and wheels
from PyPI, CUDA's libraries among them: real programs and libraries with real compression ratios,
shared as NGC's images share them. Nothing of /etc or of a home directory goes in, except Python
trees below ~/.pyenv. Where a machine has too little, more wheels are fetched until there are 3 GB
of distinct layers.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests import images
from tests.services import program

VERSION = 3
ENOUGH = 3_000_000_000
LARGE_FACTOR = 10
_CHUNK = 1 << 20
_WHEELS = (
    "torch==2.13.0",
    "nvidia-cublas-cu12==12.9.3.13",
    "nvidia-cudnn-cu12==9.28.0.42",
    "nvidia-nccl-cu12==2.32.3",
)
_MORE_WHEELS = (
    "tensorflow-cpu",
    "jaxlib",
    "pyarrow",
    "xgboost-cpu",
    "polars",
    "opencv-python-headless",
    "ray",
    "llvmlite",
    "onnxruntime",
    "nvidia-cusolver-cu12",
    "nvidia-cusparse-cu12",
)


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A gzip layer in the cache. Sizes are in bytes."""

    name: str
    digest: str
    diff_id: str
    size: int
    unpacked: int

    @property
    def file_name(self) -> str:
        return f"{self.name}.tar.gz"


@dataclass(frozen=True, slots=True)
class Image:
    """`name` is `repository:tag`; layers are names of layer files, from the base up."""

    name: str
    layers: tuple[str, ...]


_CUDA = ("programs", "libraries", "wheel-nvidia-cublas-cu12")
_DEEP_LEARNING = (*_CUDA, "wheel-nvidia-cudnn-cu12", "wheel-nvidia-nccl-cu12")

IMAGES = (
    Image("nvidia/cuda:12.4.1-devel-ubuntu22.04", (*_CUDA, "compilers")),
    Image("nvidia/pytorch:24.05-py3", (*_DEEP_LEARNING, "python-a", "wheel-torch")),
    Image("nvidia/tensorrt:24.05-py3", (*_DEEP_LEARNING, "python-b", "toolkit")),
    Image("nvidia/tritonserver:24.05-py3", (*_DEEP_LEARNING, "python-b", "java", "share")),
    Image("library/tools:1", ("share", "python-c", "python-d", "local")),
)


@dataclass(frozen=True, slots=True)
class Content:
    """The data set in the cache directory."""

    directory: Path
    layers: tuple[LayerFile, ...]
    images: tuple[Image, ...]

    @property
    def used(self) -> tuple[LayerFile, ...]:
        """The distinct layers of the five images."""
        names = {name for image in self.images for name in image.layers}
        return tuple(layer for layer in self.layers if layer.name in names)

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.used)

    @property
    def unpacked(self) -> int:
        return sum(layer.unpacked for layer in self.used)

    def layer(self, name: str) -> LayerFile:
        return next(layer for layer in self.layers if layer.name == name)

    def push(self, host: str, image: Image) -> None:
        """Into a registry over plain HTTP, layers streamed from their files."""
        repository, _, tag = image.name.rpartition(":")
        base = f"http://{host}"
        layers = [self.layer(name) for name in image.layers]
        config = images.compact(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": "2024-05-01T12:00:00Z",
                "config": {"Cmd": ["/bin/true"], "Env": [f"IMAGE={image.name}"]},
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            }
        )
        manifest = images.compact(
            {
                "schemaVersion": 2,
                "mediaType": images.OCI_MANIFEST,
                "config": {
                    "mediaType": images.OCI_CONFIG,
                    "digest": images.digest_of(config),
                    "size": len(config),
                },
                "layers": [
                    {
                        "mediaType": f"{images.OCI_LAYER}+gzip",
                        "digest": layer.digest,
                        "size": layer.size,
                    }
                    for layer in layers
                ],
            }
        )
        with images.registry_session() as session:
            for layer in layers:
                with (self.directory / layer.file_name).open("rb") as file:
                    images.push_blob(session, base, repository, layer.digest, file)
            images.push_blob(session, base, repository, images.digest_of(config), config)
            images.put_manifest(session, base, repository, tag, images.OCI_MANIFEST, manifest)


def prepare(cache: Path, say: Callable[[str], None]) -> Content:
    """The data set, from the cache or made now (some minutes)."""
    cache.mkdir(parents=True, exist_ok=True)
    record = cache / "content.json"
    if record.exists():
        known = json.loads(record.read_text())
        if known["version"] == VERSION:
            return _content(cache, known)
    # What was made of other content.
    shutil.rmtree(cache / "registry", ignore_errors=True)
    (cache / "docker-save.tar").unlink(missing_ok=True)
    layers = [_build(cache, name, _members(name, cache), say) for name in _names()]
    large = _large(cache, say)
    five = list(IMAGES)
    for wheel in _MORE_WHEELS:
        if sum(layer.size for layer in layers) >= ENOUGH:
            break
        name = f"wheel-{wheel}"
        layers.append(_build(cache, name, [_wheel(wheel, cache)], say))
        number = len(layers) % len(five)
        five[number] = Image(five[number].name, (*five[number].layers, name))
    known = {
        "version": VERSION,
        "layers": [asdict(layer) for layer in (*layers, *large)],
        "images": [asdict(image) for image in five],
    }
    record.write_text(json.dumps(known, indent=1))
    return _content(cache, known)


def _content(cache: Path, known: dict[str, Any]) -> Content:
    return Content(
        cache,
        tuple(LayerFile(**layer) for layer in known["layers"]),
        tuple(Image(image["name"], tuple(image["layers"])) for image in known["images"]),
    )


def _names() -> list[str]:
    return list(dict.fromkeys(name for image in IMAGES for name in image.layers))


def _members(name: str, cache: Path) -> list[Path]:
    """The paths that a layer is made of; those that the machine lacks are left out."""
    if name.startswith("wheel-"):
        wheel = next(wheel for wheel in _WHEELS if wheel.startswith(name.removeprefix("wheel-")))
        return [_wheel(wheel, cache)]
    if name.startswith("python-"):
        trees = _python_trees()
        number = ord(name[-1]) - ord("a")
        return trees[number : number + 1]
    usr = Path("/usr")
    return {
        "programs": [usr / "bin", usr / "sbin"],
        "libraries": [usr / "lib/x86_64-linux-gnu", usr / "lib/python3", usr / "lib/git-core"],
        "compilers": [usr / "lib/gcc", *sorted(usr.glob("lib/llvm*")), usr / "include"],
        "toolkit": sorted(usr.glob("local/cuda-*")),
        "java": [usr / "lib/jvm"],
        "share": [usr / "share"],
        "local": [usr / "local/bin", usr / "lib/postgresql", usr / "lib/node_modules"],
    }[name]


def _python_trees() -> list[Path]:
    """Python installations, the one with the most packages first."""
    trees = sorted(Path.home().glob(".pyenv/versions/3.*"), reverse=True)
    trees.sort(key=lambda tree: -sum(1 for _ in tree.glob("lib/python3.*/site-packages/*")))
    return trees or [Path(sys.base_prefix) / "lib"]


def _wheel(requirement: str, cache: Path) -> Path:
    """A wheel of PyPI without what it depends on, unpacked."""
    directory = cache / "wheels" / requirement
    if not directory.is_dir():
        loads = cache / "downloads" / requirement
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary",
             ":all:", "--dest", str(loads), requirement],
            check=True,
        )  # fmt: skip
        partial = directory.with_name(directory.name + ".partial")
        for wheel in loads.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(partial / "opt" / requirement)
        partial.rename(directory)
        shutil.rmtree(loads)
    return directory


def _build(
    cache: Path,
    name: str,
    members: Sequence[Path],
    say: Callable[[str], None],
    prefixes: Iterable[str] = ("",),
) -> LayerFile:
    """Make `name`.tar.gz with GNU tar and pigz; with several prefixes the content is repeated."""
    present = [path for path in members if path.exists()]
    say(f"layer {name}: {', '.join(map(str, present)) or 'nothing of it is on this machine'}")
    path = cache / f"{name}.tar.gz"
    hasher, unpacked = hashlib.sha256(), 0
    copies = list(prefixes)
    with path.open("wb") as out:
        packer = subprocess.Popen([program("pigz"), "-n", "-6"], stdin=subprocess.PIPE, stdout=out)
        assert packer.stdin is not None
        for number, prefix in enumerate(copies):
            last = number == len(copies) - 1
            for block in _tar(present, prefix, end=last):
                hasher.update(block)
                unpacked += len(block)
                packer.stdin.write(block)
        packer.stdin.close()
        if packer.wait():
            raise SystemExit(f"pigz failed for the layer {name}")
    packed = hashlib.sha256()
    with path.open("rb") as done:
        for block in iter(lambda: done.read(_CHUNK), b""):
            packed.update(block)
    return LayerFile(
        name,
        f"sha256:{packed.hexdigest()}",
        f"sha256:{hasher.hexdigest()}",
        path.stat().st_size,
        unpacked,
    )


def _tar(members: Sequence[Path], prefix: str, *, end: bool) -> Iterable[bytes]:
    """The blocks of a tar; without `end` its closing zeros are left out: more may follow."""
    command = [program("tar"), "--create", "--sort=name", "--owner=0", "--group=0"]
    command += ["--numeric-owner", "--mtime=@0", "--ignore-failed-read", "--warning=none"]
    command += ["--blocking-factor=1", "--directory=/"]
    if prefix:
        command.append(f"--transform=flags=rh;s,^,{prefix}/,")
    command += [str(path.relative_to("/")) for path in members] or ["--files-from=/dev/null"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    held = b""
    for block in iter(lambda: process.stdout.read(_CHUNK), b""):  # type: ignore[union-attr]
        held += block
        yield held[:-1024]
        held = held[-1024:]
    process.stdout.close()
    process.wait()  # tar ends with 1 where a file could not be read; the rest is good
    if end:
        yield held
    elif held.strip(b"\0"):
        raise SystemExit("tar did not end with two blocks of zeros")


def _large(cache: Path, say: Callable[[str], None]) -> list[LayerFile]:
    """A layer, and one ten times larger of the same kind, to compare the memory needed."""
    members = _python_trees()[1:2] or _python_trees()[:1]
    copies = [f"copy-{number}" for number in range(LARGE_FACTOR)]
    return [
        _build(cache, "small", members, say),
        _build(cache, "large", members, say, copies),
    ]
