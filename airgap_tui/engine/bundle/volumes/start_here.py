"""`START-HERE.txt`: what is on this medium and what to do with it, for whoever finds it on the
other side, with airgap-tui and without.

Equal bundles give equal texts, so that making one ready twice changes nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.inventory import IMAGE, SIGNATURE, Inventory, Item
from airgap_tui.engine.bundle.names import present
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.ssh_signature import NAMESPACE
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.quantities import count, size

_WIDTH = 78
_MOST_NAMES = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where the text lies: in a directory, or inside `file`; on volume `number` of `count`. `tool`
    says that airgap-tui lies beside it."""

    form: Form = Form.DIRECTORY
    file: str = ""
    number: int = 1
    count: int = 1
    tool: bool = False

    @property
    def whole(self) -> bool:
        return self.count == 1


def start_here(
    inventory: Inventory, content_bytes: int, signature: Signature, place: Place
) -> bytes:
    """The text for a bundle of `content_bytes` in all, signed as `signature` says."""
    paragraphs = [
        _head(inventory, content_bytes, place),
        _images(inventory),
        *([_assumed(inventory)] if inventory.assumes else []),
        _check(signature, place),
        *([_tool(inventory.carried, signature, place)] if place.tool and inventory.carried else []),
        _with_us(place),
        _without_us(inventory, place),
    ]
    return ("\n\n".join("\n".join(lines) for lines in paragraphs) + "\n").encode()


def _head(inventory: Inventory, content_bytes: int, place: Place) -> list[str]:
    title = f"Container images for a network without internet: {_plain(inventory.name)}"
    day = (inventory.updated or inventory.created)[:10]
    facts = f"{size(content_bytes)} in all, saved {_plain(day)}. Bundle {_plain(inventory.id)}."
    lines = [title, "=" * len(title), "", *_wrapped(facts)]
    if not place.whole:
        lines += _wrapped(
            f"This is volume {place.number} of {place.count}. All of them together are the bundle;"
            " the order does not matter."
        )
    return lines


def _images(inventory: Inventory) -> list[str]:
    whole = [item for item in present(inventory) if item.kind != SIGNATURE]
    unfinished = [item for item in inventory.items if item.state.value != "done"]
    lines = [f"{count(len(whole), 'image')}:", ""]
    lines += [f"    {_plain(item.name)}" for item in whole[:_MOST_NAMES]]
    if len(whole) > _MOST_NAMES:
        lines.append(f"    and {len(whole) - _MOST_NAMES} more, in {layout.INVENTORY}")
    if unfinished:
        names = ", ".join(_plain(item.name) for item in unfinished[:_MOST_NAMES])
        lines += ["", *_wrapped(f"Asked for and not here, because saving failed: {names}")]
    return lines


def _assumed(inventory: Inventory) -> list[str]:
    files = len(inventory.assumed)
    bases = dict.fromkeys(
        _plain(base.name or base.id) for one in inventory.assumes for base in one.bundles
    )
    return _wrapped(
        f"This is an update: {count(files, 'layer')} of {', '.join(bases) or 'an earlier bundle'}"
        " are left out, because the other side has them. push takes them from the registry that"
        f" has them; {layout.INVENTORY} lists them under assumes."
    )


def _check(signature: Signature, place: Place) -> list[str]:
    lines = ["Check it first", ""]
    if place.form is Form.TAR:
        lines += _wrapped("Unpack it, or let airgap-tui read it in place; then, where it lies:")
    elif place.form is Form.ISO:
        lines += _wrapped("In the directory where the disc or image is mounted:")
    else:
        lines += _wrapped("In the directory of this file:")
    lines += ["", f"    sha256sum --quiet -c {layout.CHECKSUMS}"]
    if signature.form == "gpg":
        lines.append(f"    gpg --verify {layout.GPG_SIGNATURE} {layout.INVENTORY}")
    elif signature.form == "ssh":
        lines += [
            f"    ssh-keygen -Y check-novalidate -n {NAMESPACE} \\",
            f"        -s {layout.SSH_SIGNATURE} < {layout.INVENTORY}",
        ]
    if signature.form:
        lines += [
            "",
            *_wrapped(
                f"It is signed with the key {_plain(signature.fingerprint)}. Compare that with"
                " what the signer told you by another way."
            ),
        ]
    return lines


def _tool(tool: CarriedTool, signature: Signature, place: Place) -> list[str]:
    covered = ", which the signature covers," if signature.form else ""
    unpack = f"    tar -xf {_plain(place.file)} {layout.TOOL} {layout.INVENTORY}"
    return [
        f"airgap-tui {_plain(tool.version)} is here",
        "",
        *_wrapped(
            f"In the directory {layout.TOOL}, {size(tool.bytes)}, {_plain(tool.hosts)}. Nothing has"
            f" to be installed. Check it before you run it: {layout.INVENTORY}{covered} knows its"
            " list of checksums, for which the grep says 1, and that list knows every file."
        ),
        "",
        *([unpack] if place.form is Form.TAR else []),
        f'    grep -c "$(sha256sum < {layout.TOOL_SUMS} | cut -c -64)" {layout.INVENTORY}',
        f"    (cd {layout.TOOL} && sha256sum --quiet -c SHA256SUMS)",
    ]


def _with_us(place: Place) -> list[str]:
    us = f"sh {layout.TOOL}/{layout.TOOL_RUN}" if place.tool else "airgap-tui"
    mounted = place.tool and place.form is Form.ISO
    where = "." if place.form is Form.DIRECTORY or mounted else _plain(place.file) or "FILE"
    if not place.whole:
        where = "VOLUME..."
    lines = ["With airgap-tui", ""]
    if not place.whole:
        lines += [*_wrapped("VOLUME... stands for all of them: directories, files, discs."), ""]
    return [
        *lines,
        f"    {us} verify {where}",
        f"    {us} push {where} registry.lan:5000    into a registry",
        f"    {us} load {where}                      into Docker",
        f"    {us} serve {where}                     hosts pull from here",
    ]


def _without_us(inventory: Inventory, place: Place) -> list[str]:
    lines = ["Without airgap-tui", ""]
    if not place.whole:
        lines += [
            *_wrapped("Copy all volumes into one directory, and put together what was cut:"),
            "",
            "    cp -rn VOLUME/. whole/          for each volume",
            "    cd whole",
            "    for d in pieces/*/*; do",
            '        cat $(ls -v -d "$d"/*) > "blobs/${d#pieces/}"',
            "    done",
            "",
            *_wrapped("From there it is an OCI image layout:"),
            "",
        ]
    elif inventory.assumes:
        return [*lines, *_wrapped("Other tools cannot complete an update. Use airgap-tui.")]
    name = _example(present(inventory))
    if place.form is Form.TAR and place.whole:
        file = _plain(place.file) or "FILE"
        return [
            *lines,
            f"    docker load -i {file}",
            f"    podman load -i {file}",
            *_skopeo(f"oci-archive:{file}", name),
        ]
    return [
        *lines,
        "    tar -c --exclude=.partial . | docker load",
        *_skopeo("oci:.", name),
    ]


def _skopeo(source: str, name: str) -> Iterator[str]:
    if name:
        path = name.partition("/")[2]
        yield f"    skopeo copy --all {source}:{name} \\"
        yield f"        docker://registry.lan:5000/{path}"


def _example(items: Iterable[Item]) -> str:
    """An image that other tools find by its name; skopeo 1.9 finds none of Docker's types."""
    named = [item for item in items if item.kind == IMAGE and item.reference.tag]
    found = [item for item in named if layout.is_ref_name(item.name)]
    dockers = (media_types.DOCKER_MANIFEST, media_types.DOCKER_LIST)
    found.sort(key=lambda item: item.media_type in dockers)
    return found[0].name if found else ""


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _plain(text: str) -> str:
    """Outside text in one line: it may not add lines of its own."""
    return " ".join(harmless(text).split())
