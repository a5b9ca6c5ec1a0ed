"""Sample images: real OCI and Docker images, built from nothing but this module, byte for byte.

They are made with plain JSON and hashlib rather than with the code under test, so that a digest
compared with one of these is compared with an independent one. Equal arguments give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import requests

from airgap_tui.engine.oci.manifest import Index, Manifest, parse

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
IN_TOTO = "application/vnd.in-toto+json"
ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))


def digest_of(data: bytes) -> str:
    """`sha256:<hex>`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# --- layers ---------------------------------------------------------------------------------------


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """A tar of regular files with zeroed owner and time, as layers are."""
    with io.BytesIO() as out:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in sorted(files.items()):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                member.mode = 0o644
                tar.addfile(member, io.BytesIO(content))
        return out.getvalue()


def gzip_of(data: bytes) -> bytes:
    """gzip without a name and a time."""
    encoder = zlib.compressobj(6, zlib.DEFLATED, 31)
    return encoder.compress(data) + encoder.flush()


def zstd_of(data: bytes) -> bytes:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from backports import zstd  # type: ignore[no-redef,unused-ignore]
    return bytes(zstd.compress(data, level=3))


def noise(seed: str, size: int) -> bytes:
    """Bytes that compress to about half, the same for the same seed."""
    source = random.Random(seed)  # noqa: S311 - test content
    half = source.randbytes(size // 2)
    words = b" ".join(f"{seed}-{n % 97}".encode() for n in range(size // 4 + 1))
    return (half + words)[:size]


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as a registry holds it (`blob`), and unpacked (`tar`)."""

    tar: bytes
    blob: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return digest_of(self.blob)

    @property
    def diff_id(self) -> str:
        return digest_of(self.tar)

    @property
    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.blob)}

    def typed_for_docker(self) -> Layer:
        kind = {"": "", "+gzip": ".gzip", "+zstd": ".zstd"}[self.media_type.removeprefix(OCI_LAYER)]
        return replace(self, media_type=DOCKER_LAYER + kind)


def layer(seed: str, size: int = 40_000, codec: str = "gzip", files: int = 3) -> Layer:
    """A layer with `files` files of `size` bytes in all; `codec` is gzip, zstd or none."""
    content = {
        f"opt/{seed}/file-{n}": noise(f"{seed}/{n}", max(1, size // files)) for n in range(files)
    }
    return layer_of(tar_of({**content, "etc/marker": seed.encode()}), codec)


def layer_of(tar: bytes, codec: str = "gzip") -> Layer:
    if codec == "none":
        return Layer(tar, tar, OCI_LAYER)
    if codec == "zstd":
        return Layer(tar, zstd_of(tar), f"{OCI_LAYER}+zstd")
    return Layer(tar, gzip_of(tar), f"{OCI_LAYER}+gzip")


EMPTY_LAYER = layer_of(bytes(1024))
"""What a Dockerfile line leaves that changes nothing: a tar without members."""


# --- images ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SampleImage:
    """One image. `name` is `repository:tag`; `manifest` and `config` are raw bytes."""

    name: str
    config: bytes
    content: tuple[Layer, ...]
    manifest: bytes
    media_type: str
    platform: tuple[str, str, str] = ("linux", "amd64", "")

    @property
    def layers(self) -> tuple[bytes, ...]:
        """The layers as the registry holds them."""
        return tuple(layer.blob for layer in self.content)

    @property
    def repository(self) -> str:
        return self.name.rpartition(":")[0]

    @property
    def tag(self) -> str:
        return self.name.rpartition(":")[2]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def image_id(self) -> str:
        """What Docker's classic store calls the image: the config's digest."""
        return digest_of(self.config)

    @property
    def document(self) -> Manifest:
        parsed = parse(self.manifest, self.media_type)
        assert isinstance(parsed, Manifest)
        return parsed

    @property
    def blobs(self) -> dict[str, bytes]:
        """Config and layers by digest."""
        return {digest_of(data): data for data in (self.config, *self.layers)}

    @property
    def documents(self) -> tuple[tuple[str, bytes], ...]:
        """(media type, bytes) of every manifest, children first, the named one last."""
        return ((self.media_type, self.manifest),)

    @property
    def size(self) -> int:
        """Bytes of all documents and blobs, each once."""
        return _size(self)

    def descriptor(self) -> dict[str, Any]:
        system, architecture, variant = self.platform
        platform = {"architecture": architecture, "os": system}
        if variant:
            platform["variant"] = variant
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.manifest),
            "platform": platform,
        }

    def named(self, name: str) -> SampleImage:
        """The same content under another name."""
        return replace(self, name=name)


def build_image(
    name: str,
    layers: Sequence[Layer],
    *,
    docker: bool = False,
    platform: str = "linux/amd64",
    environment: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> SampleImage:
    """An image of these layers, from the base up; `docker` gives it Docker's media types."""
    system, architecture, variant = (*platform.split("/"), "")[:3]
    content = tuple(one.typed_for_docker() for one in layers) if docker else tuple(layers)
    config = compact(
        {
            "architecture": architecture,
            **({"variant": variant} if variant else {}),
            "os": system,
            "created": "2024-05-01T12:00:00Z",
            "config": {
                "Env": [f"{k}={v}" for k, v in (environment or {"SAMPLE": name}).items()],
                "Cmd": ["/bin/true"],
            },
            "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in content]},
            "history": [
                {"created": "2024-05-01T12:00:00Z", "created_by": f"layer {n}"}
                for n, _ in enumerate(content)
            ],
        }
    )
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = compact(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {
                "mediaType": DOCKER_CONFIG if docker else OCI_CONFIG,
                "digest": digest_of(config),
                "size": len(config),
            },
            "layers": [one.descriptor for one in content],
            **({"annotations": dict(annotations)} if annotations else {}),
        }
    )
    return SampleImage(name, config, content, manifest, media_type, (system, architecture, variant))


@dataclass(frozen=True, slots=True)
class SampleIndex:
    """A name for several images; children may be indexes again."""

    name: str
    children: tuple[SampleImage | SampleIndex, ...]
    manifest: bytes
    media_type: str

    @property
    def repository(self) -> str:
        return self.name.rpartition(":")[0]

    @property
    def tag(self) -> str:
        return self.name.rpartition(":")[2]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def document(self) -> Index:
        parsed = parse(self.manifest, self.media_type)
        assert isinstance(parsed, Index)
        return parsed

    @property
    def images(self) -> tuple[SampleImage, ...]:
        """Every image below, attestations included."""
        return tuple(_images(self))

    @property
    def blobs(self) -> dict[str, bytes]:
        return {digest: data for image in self.images for digest, data in image.blobs.items()}

    @property
    def documents(self) -> tuple[tuple[str, bytes], ...]:
        below = [document for child in self.children for document in child.documents]
        return (*dict.fromkeys(below), (self.media_type, self.manifest))

    @property
    def size(self) -> int:
        return _size(self)

    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.manifest)}

    def named(self, name: str) -> SampleIndex:
        return replace(self, name=name)


def _images(index: SampleIndex) -> Iterator[SampleImage]:
    for child in index.children:
        if isinstance(child, SampleIndex):
            yield from _images(child)
        else:
            yield child


def _size(sample: SampleImage | SampleIndex) -> int:
    return sum(map(len, sample.blobs.values())) + sum(len(raw) for _, raw in sample.documents)


def build_index(
    name: str, children: Sequence[SampleImage | SampleIndex], *, docker: bool = False
) -> SampleIndex:
    """An index (a manifest list with `docker`) over these children, in order."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    entries = []
    images = [child for child in children if isinstance(child, SampleImage)]
    for child in children:
        entry = child.descriptor()
        if isinstance(child, SampleImage) and child.platform[0] == "unknown":
            entry["annotations"] = {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": images[0].digest,
            }
        entries.append(entry)
    manifest = compact({"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
    return SampleIndex(name, tuple(children), manifest, media_type)


def build_attestation(of: SampleImage) -> SampleImage:
    """What BuildKit adds beside an image: an `unknown/unknown` child with an in-toto statement."""
    statement = compact(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "subject": [{"name": of.name, "digest": {"sha256": of.digest.removeprefix("sha256:")}}],
            "predicate": {},
        }
    )
    content = Layer(statement, statement, IN_TOTO)
    return build_image(of.name, [content], platform="unknown/unknown")


def build_artifact(
    name: str,
    files: Mapping[str, bytes],
    *,
    artifact_type: str = "application/vnd.example.sample",
    subject: SampleImage | None = None,
    annotations: Mapping[str, str] | None = None,
) -> SampleImage:
    """An OCI artifact: the empty config, files as layers, and what it speaks about."""
    config = b"{}"
    content = tuple(
        Layer(data, data, "application/octet-stream") for _, data in sorted(files.items())
    )
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": digest_of(config),
            "size": len(config),
        },
        "layers": [
            {**one.descriptor, "annotations": {"org.opencontainers.image.title": title}}
            for title, one in zip(sorted(files), content, strict=True)
        ],
        **({"annotations": dict(annotations)} if annotations else {}),
    }
    if subject is not None:
        described = subject.descriptor()
        described.pop("platform")
        value["subject"] = described
    return SampleImage(name, config, content, compact(value), OCI_MANIFEST, ("", "", ""))


def fallback_tag(digest: str) -> str:
    """The tag under which referrers of a digest are listed where the referrers API is missing."""
    return digest.replace(":", "-")


@dataclass(frozen=True, slots=True)
class SampleImages:
    """One of each kind. `base`, `pytorch` and `triton` share their lowest layers."""

    base: SampleImage
    pytorch: SampleImage
    triton: SampleImage
    docker: SampleImage
    with_empty_layer: SampleImage
    zstd: SampleImage
    uncompressed: SampleImage
    zero_size: SampleImage
    multi: SampleIndex
    docker_list: SampleIndex
    nested: SampleIndex
    attested: SampleIndex
    arm64: SampleImage = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arm64", self.multi.images[1])

    @property
    def images(self) -> tuple[SampleImage, ...]:
        """The single images that an engine of any age can load."""
        return (self.base, self.pytorch, self.triton, self.docker, self.with_empty_layer)

    @property
    def everything(self) -> tuple[SampleImage | SampleIndex, ...]:
        return (
            *self.images,
            self.zstd,
            self.uncompressed,
            self.zero_size,
            self.multi,
            self.docker_list,
            self.nested,
            self.attested,
        )


def build_samples() -> SampleImages:
    """Under 2 MB in all."""
    ubuntu, cuda = layer("ubuntu", 300_000), layer("cuda", 400_000)
    base = build_image("nvidia/cuda:12.4.1-base-ubuntu22.04", [ubuntu, cuda])
    pytorch = build_image("nvidia/pytorch:24.05-py3", [ubuntu, cuda, layer("torch", 200_000)])
    triton = build_image("nvidia/tritonserver:24.05-py3", [ubuntu, cuda, layer("triton", 100_000)])
    docker = build_image("library/registry:2", [layer("alpine"), layer("registry")], docker=True)
    amd64 = build_image("library/multi:1", [layer("multi-amd64")])
    arm64 = build_image("library/multi:1", [layer("multi-arm64")], platform="linux/arm64/v8")
    listed = [
        build_image("library/list:1", [layer(f"list-{a}")], docker=True, platform=f"linux/{a}")
        for a in ("amd64", "arm64", "ppc64le")
    ]
    inner = build_index("library/nested:1", [amd64])
    return SampleImages(
        base=base,
        pytorch=pytorch,
        triton=triton,
        docker=docker,
        with_empty_layer=build_image(
            "library/empty-layer:1", [layer("scratch"), EMPTY_LAYER, layer("top"), EMPTY_LAYER]
        ),
        zstd=build_image("library/zstd:1", [ubuntu, layer("zstandard", codec="zstd")]),
        uncompressed=build_image("library/plain:1", [layer("plain", codec="none")]),
        zero_size=build_artifact("library/zero:1", {"nothing": b"", "something": b"some text\n"}),
        multi=build_index("library/multi:1", [amd64, arm64]),
        docker_list=build_index("library/list:1", listed, docker=True),
        nested=build_index("library/nested:1", [inner, arm64]),
        attested=build_index("library/attested:1", [amd64, build_attestation(amd64)]),
    )


# --- into and out of a registry -------------------------------------------------------------------


def registry_session(
    *, login: tuple[str, str] | None = None, verify: str | bool = True
) -> requests.Session:
    """A plain session that takes nothing from the environment."""
    session = requests.Session()
    session.trust_env = False
    session.auth = login
    session.verify = verify
    return session


def push_image(
    host: str,
    image: SampleImage | SampleIndex,
    *,
    name: str = "",
    login: tuple[str, str] | None = None,
    ca: str = "",
) -> str:
    """Push with plain requests; returns `host:port/repository:tag`.

    `host` is a URL, or host:port for plain HTTP. `name` replaces the image's own
    `repository:tag`. `login` is for registries with htpasswd."""
    base = host if "://" in host else f"http://{host}"
    repository, _, tag = (name or image.name).rpartition(":")
    with registry_session(login=login, verify=ca or True) as session:
        for digest, data in image.blobs.items():
            push_blob(session, base, repository, digest, data)
        *below, (media_type, root) = image.documents
        for child_type, raw in below:
            put_manifest(session, base, repository, digest_of(raw), child_type, raw)
        put_manifest(session, base, repository, tag, media_type, root)
    return f"{base.partition('://')[2]}/{repository}:{tag}"


def push_blob(
    session: requests.Session, base: str, repository: str, digest: str, data: bytes | BinaryIO
) -> None:
    url = f"{base}/v2/{repository}/blobs/"
    if session.head(url + digest, timeout=30).status_code == 200:
        return
    begun = session.post(url + "uploads/", timeout=30)
    begun.raise_for_status()
    location = requests.compat.urljoin(url, begun.headers["Location"])
    ended = session.put(
        location,
        params={"digest": digest},
        data=data,
        headers={"Content-Type": "application/octet-stream"},
        timeout=300,
    )
    ended.raise_for_status()


def put_manifest(
    session: requests.Session, base: str, repository: str, name: str, media_type: str, raw: bytes
) -> None:
    answer = session.put(
        f"{base}/v2/{repository}/manifests/{name}",
        data=raw,
        headers={"Content-Type": media_type},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text


def remote_digest(host: str, repository: str, name: str, *, ca: str = "") -> str:
    """The digest of the bytes that a registry sends for a tag or digest."""
    return digest_of(remote_manifest(host, repository, name, ca=ca))


def remote_manifest(host: str, repository: str, name: str, *, ca: str = "") -> bytes:
    base = host if "://" in host else f"http://{host}"
    with registry_session(verify=ca or True) as session:
        answer = session.get(
            f"{base}/v2/{repository}/manifests/{name}", headers={"Accept": ACCEPT}, timeout=30
        )
        answer.raise_for_status()
        return answer.content
