"""The manifests of an image whose layers were re-encoded: new descriptors, all else as it was.

The config stays, and with it the image ID; digests of manifests and indexes change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest

Replacement = Callable[[Descriptor], "Descriptor | None"]

_OCI = {
    media_types.DOCKER_CONFIG: media_types.OCI_CONFIG,
    media_types.DOCKER_LAYER: media_types.OCI_LAYER,
    media_types.DOCKER_LAYER_GZIP: media_types.OCI_LAYER_GZIP,
    media_types.DOCKER_LAYER_ZSTD: media_types.OCI_LAYER_ZSTD,
}
_ATTESTED = "vnd.docker.reference.digest"


def rewrite(closure: Closure, replacement: Replacement) -> Closure:
    """The closure with layers replaced; unchanged where none has a replacement.

    `replacement` gives a layer's new descriptor (type, digest, size).
    """
    changed: dict[Digest, Manifest | Index] = {}
    documents: list[Manifest | Index] = []
    blobs: dict[Digest, Descriptor] = {}
    for document in closure.documents:  # children come first
        new = (
            _index(document, changed)
            if isinstance(document, Index)
            else _manifest(document, replacement)
        )
        if new is not document:
            changed[document.digest] = new
        documents.append(new)
        if isinstance(new, Manifest):
            blobs.update((blob.digest, blob) for blob in new.blobs)
    if not changed:
        return closure
    return replace(
        closure,
        root=changed.get(closure.root.digest, closure.root),
        documents=tuple({document.digest: document for document in documents}.values()),
        blobs=tuple(blobs.values()),
        signatures=(),
    )


def _manifest(manifest: Manifest, replacement: Replacement) -> Manifest:
    if not manifest.is_image:
        return manifest
    new = {layer.digest: found for layer in manifest.layers if (found := replacement(layer))}
    if not new:
        return manifest
    return Manifest.build(
        _as_oci(manifest.config),
        [_layer(layer, new.get(layer.digest)) for layer in manifest.layers],
        annotations=manifest.annotations,
        subject=manifest.subject,
    )


def _layer(layer: Descriptor, new: Descriptor | None) -> Descriptor:
    if new is None:
        return _as_oci(layer)
    return replace(
        layer,
        media_type=new.media_type,
        digest=new.digest,
        size=new.size,
        urls=(),
        data=None,
    )


def _as_oci(descriptor: Descriptor) -> Descriptor:
    return replace(descriptor, media_type=_OCI.get(descriptor.media_type, descriptor.media_type))


def _index(index: Index, changed: dict[Digest, Manifest | Index]) -> Index:
    if not any(child.digest in changed for child in index.manifests):
        return index
    return Index.build(
        [_child(child, changed) for child in index.manifests], annotations=index.annotations
    )


def _child(child: Descriptor, changed: dict[Digest, Manifest | Index]) -> Descriptor:
    annotations = dict(child.annotations)
    attested = annotations.get(_ATTESTED)
    for old, document in changed.items():
        if attested == str(old):
            annotations[_ATTESTED] = str(document.digest)
    new = changed.get(child.digest)
    if new is None:
        return replace(child, annotations=annotations)
    return replace(
        child,
        media_type=new.media_type,
        digest=new.digest,
        size=len(new.raw),
        annotations=annotations,
        data=None,
    )
