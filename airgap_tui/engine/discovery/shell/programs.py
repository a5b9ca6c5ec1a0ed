"""Which words of a command name images, for each program that takes some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from airgap_tui.engine.discovery.finding import State
from airgap_tui.engine.discovery.naming import Named, named, named_by_singularity
from airgap_tui.engine.discovery.shell.assignment import Word
from airgap_tui.engine.discovery.shell.options import (
    Option,
    Syntax,
    operands,
    split,
    syntax,
    value_of,
)


@dataclass(frozen=True, slots=True)
class Image:
    """A word that names an image, and how the program reads names."""

    word: Word
    meaning: Callable[[str], Named]


def _enroot(text: str) -> Named:
    return named(text, enroot=True)


def _podman(text: str) -> Named:
    meaning = named(text)
    if meaning.reference is not None and meaning.reference.registry == "localhost":
        return Named(None, State.OTHER, "built on that host")
    return meaning


def _all_tags(text: str) -> Named:
    meaning = named(text)
    if meaning.reference is None:
        return meaning
    return Named(None, State.UNRESOLVED, "all tags of it are asked for")


def _cut(text: str) -> Named:
    reason = "Slurm cuts a #SBATCH line at #, which must be written as \\# or in quotes"
    return Named(None, State.UNRESOLVED, reason)


# --- Singularity and Apptainer --------------------------------------------------------------------

_SINGULARITY_GLOBAL = syntax("c", "--config")
_SINGULARITY_RUN = syntax(
    "BHWoSs",
    "--bind --env --env-file --home --pwd --cwd --workdir --overlay --scratch --app --hostname"
    " --network --network-args --dns --security --add-caps --drop-caps --apply-cgroups --mount"
    " --fusemount --docker-username --docker-password --docker-host --pem-path --authfile"
    " --pid-file --cpus --memory --memory-swap --memory-reservation --blkio-weight"
    " --blkio-weight-device --cpu-shares --cpuset-cpus --cpuset-mems --pids-limit --shell --device"
    " --cdi-dirs --arch --arch-variant --platform --nvccli-config --tmpdir --proot --cgroups"
    " --no-mount --netns-path --runscript-timeout --dmtcp-launch --dmtcp-restart",
)
_SINGULARITY_PULL = syntax(
    "",
    "--arch --arch-variant --platform --dir --library --name --path --docker-username"
    " --docker-password --docker-host --authfile --pem-path --tmpdir",
)
_SINGULARITY_BUILD = syntax(
    "B",
    "--arch --arch-variant --platform --bind --build-arg --build-arg-file --builder --library"
    " --docker-username --docker-password --docker-host --authfile --mount --pem-path --section"
    " --tmpdir --keyring --key --gpg-key --mksquashfs-args",
)
_RUNS = frozenset({"exec", "run", "shell", "test", "run-help"})
_FILE_ENDS = (".sif", ".img", ".simg", ".sqsh", ".squashfs")


def _singularity(words: Sequence[Word]) -> Iterator[Image]:
    _, rest = split(words, _SINGULARITY_GLOBAL)
    if not rest:
        return
    verb, rest = rest[0].text, rest[1:]
    if verb == "instance" and rest:
        verb, rest = f"instance.{rest[0].text}", rest[1:]
    if verb in _RUNS or verb in ("instance.start", "instance.run"):
        _, found = split(rest, _SINGULARITY_RUN)
        image = _transported(rest, found[:1])
    elif verb == "pull":
        _, found = operands(rest, _SINGULARITY_PULL)
        image = _transported(rest, found[:2][-1:])
    elif verb in ("build", "bootstrap"):
        _, found = operands(rest, _SINGULARITY_BUILD)
        image = [word for word in found[1:2] if _is_image_spec(word.text)]
    else:
        return
    for word in image:
        yield Image(word, named_by_singularity)


def _transported(words: Sequence[Word], found: Sequence[Word]) -> Sequence[Word]:
    """The operand; or where it cannot be one, the first word with `docker://` behind an option that
    is not known here."""
    if found and ("://" in found[0].text or found[0].text.endswith(_FILE_ENDS)):
        return found
    if found and found[0].text.startswith(("/", ".", "$", "docker-", "oci")):
        return found
    return [word for word in words if word.text.startswith("docker://")][:1] or found


def _is_image_spec(text: str) -> bool:
    """Whether a build begins with an image, not with a definition file or a directory."""
    if named_by_singularity(text).reason != "a local file":
        return True
    return text.lower().endswith(_FILE_ENDS)


# --- enroot and Slurm -----------------------------------------------------------------------------

_ENROOT = syntax("aonfme", "--arch --output --name --format --rc --conf --env --mount")


def _enroot_command(words: Sequence[Word]) -> Iterator[Image]:
    _, rest = split(words, _ENROOT)
    if not rest:
        return
    verb = rest[0].text
    _, found = operands(rest[1:], _ENROOT)
    if verb in ("import", "load", "digest"):
        yield from (Image(word, _imported) for word in found[:1])
    elif verb in ("create", "start"):
        yield from (
            Image(word, _enroot) for word in found[:1] if word.text.endswith((".sqsh", ".squashfs"))
        )


def _imported(text: str) -> Named:
    meaning = named(text, enroot=True)
    if meaning.reference is not None and "://" not in text:
        return Named(None, State.OTHER, "enroot takes no name without docker:// in front")
    return meaning


SLURM = syntax(
    "ABCDFGJLMNRSTWabcdegimnopqrtwx",
    flags="--bell --no-bell --contiguous --debugger-test --disable-status --exact --exclusive"
    " --external-launcher --get-user-env --help --hold --ignore-pbs --immediate --interactive"
    " --kill-on-bad-exit --label --mpi-combine --multi-prog --no-allocate --no-kill --no-requeue"
    " --no-shell --overcommit --overlap --oversubscribe --parsable --preserve-env --pty --quiet"
    " --quit-on-interrupt --reboot --requeue --resv-ports --share --spread-job --test-only"
    " --unbuffered --usage --use-min-nodes --verbose --version --whole --x11 --wait-all-nodes"
    " --container-mount-home --no-container-mount-home --container-remap-root"
    " --no-container-remap-root --container-entrypoint --no-container-entrypoint"
    " --container-writable --container-readonly --container-writeable --cpu-bind",
)
_SBATCH = Syntax(
    "".join(letter for letter in SLURM.short if letter != "W"),
    flags=(SLURM.flags or frozenset()) | {"--wait"},
)


def container_images(options: Sequence[Option]) -> Iterator[Image]:
    """The images of Pyxis among the options of srun, sbatch or salloc."""
    for word in value_of(options, "--container-image"):
        yield Image(word, _cut if word.cut else _enroot)


def slurm_options(program: str, words: Sequence[Word]) -> tuple[list[Option], tuple[Word, ...]]:
    """The options of srun, sbatch or salloc, and the command they run."""
    return split(words, _SBATCH if program == "sbatch" else SLURM)


# --- Docker, Podman, nerdctl ----------------------------------------------------------------------

_ENGINE_GLOBAL = syntax(
    "Hcln",
    "--host --config --context --log-level --tlscacert --tlscert --tlskey --root --runroot"
    " --connection --url --identity --storage-driver --storage-opt --cgroup-manager"
    " --events-backend --module --runtime --tmpdir --namespace --address --snapshotter --cni-path"
    " --cni-netconfpath --data-root --hosts-dir --network-cmd-path --volumepath --conmon"
    " --cdi-spec-dir --hooks-dir --imagestore --network-config-dir --out --runtime-flag --ssh"
    " --tls-ca --tls-cert --tls-key",
)
_ENGINE_RUN = syntax(
    "aceghlmpuvw",
    flags="--detach --disable-content-trust --env-host --help --init --interactive --no-healthcheck"
    " --no-hostname --no-hosts --oom-kill-disable --passwd --privileged --publish-all --quiet"
    " --read-only --read-only-tmpfs --replace --rm --rmi --rootfs --sig-proxy --tls-verify --tty"
    " --unsetenv-all --use-api-socket --http-proxy --insecure-registry --with-registry --force"
    " --no-resolve-image --all-tags",
)
_ENGINE_PULL = syntax(
    "",
    "--platform --arch --os --variant --authfile --cert-dir --creds --decryption-key --policy"
    " --retry --retry-delay --unpack --verify --cosign-key --snapshotter --storage-opt",
)
_ENGINE_SAVE = syntax("o", "--output --format --platform")
_ENGINE_GROUPS = frozenset({"container", "image", "service"})


def _engine(words: Sequence[Word], meaning: Callable[[str], Named]) -> Iterator[Image]:
    _, rest = split(words, _ENGINE_GLOBAL)
    group = ""
    if rest and rest[0].text in _ENGINE_GROUPS:
        group, rest = rest[0].text, rest[1:]
    if not rest:
        return
    verb, rest = rest[0].text, rest[1:]
    if verb in ("run", "create") and group != "image":
        options, found = split(rest, _ENGINE_RUN)
        if any(option.name == "--rootfs" for option in options):
            return
        yield from (Image(word, meaning) for word in found[:1])
    elif verb == "pull" and group in ("", "image"):
        options, found = operands(rest, _ENGINE_PULL)
        if any(option.name in ("-a", "--all-tags") for option in options):
            meaning = _all_tags
        yield from (Image(word, meaning) for word in found)
    elif verb == "save" and group in ("", "image"):
        _, found = operands(rest, _ENGINE_SAVE)
        yield from (Image(word, meaning) for word in found)


# --- containerd, skopeo, kubectl ------------------------------------------------------------------

_CRICTL_GLOBAL = syntax(
    "ritc", "--runtime-endpoint --image-endpoint --timeout --config --profile-cpu --profile-mem"
)
_CRICTL_PULL = syntax(
    "a", "--annotation --auth --creds --pod-config --pull-timeout --runtime-handler"
)
_CTR_GLOBAL = syntax("na", "--namespace --address --timeout --connect-timeout --state --root")
_CTR_PULL = syntax(
    "u",
    "--user --refresh --hosts-dir --tlscacert --tlscert --tlskey --snapshotter --label --platform"
    " --max-concurrent-downloads --unpack-concurrency",
)
_CTR_RUN = syntax(
    "u",
    flags="--allow-new-privs --cgroup-v2 --cni --detach --fifo-dir-keep --help --isolated"
    " --log-uri-keep --net-host --no-pivot --null-io --privileged --read-only --rm --rootfs"
    " --rootfs-propagation-shared --seccomp --tty --with-ns-host --terminal --systemd-cgroup",
)
_SKOPEO_GLOBAL = syntax(
    "",
    "--command-timeout --override-arch --override-os --override-variant --policy --registries.d"
    " --tmpdir --user-agent-prefix",
)
_SKOPEO_COPY = syntax(
    "fds",
    flags="--all --dest-compress --dest-decompress --dest-no-creds --dest-precompute-digests"
    " --dest-oci-accept-uncompressed-layers --dest-force-compress-format --dest-tls-verify"
    " --dry-run --help --keep-going --insecure-policy --preserve-digests --quiet"
    " --remove-signatures --scoped --src-no-creds --src-tls-verify --append-suffix-none",
)
_KUBECTL = syntax(
    "nlfoc",
    "--namespace --image --context --kubeconfig --labels --replicas --port --env --overrides"
    " --restart --target --cluster --user --output --filename --container --copy-to --profile",
)


def _crictl(words: Sequence[Word]) -> Iterator[Image]:
    _, rest = split(words, _CRICTL_GLOBAL)
    if rest and rest[0].text == "pull":
        _, found = operands(rest[1:], _CRICTL_PULL)
        yield from (Image(word, named) for word in found[:1])


def _ctr(words: Sequence[Word]) -> Iterator[Image]:
    _, rest = split(words, _CTR_GLOBAL)
    texts = [word.text for word in rest[:2]]
    if texts[:1] in (["images"], ["image"], ["i"]) and texts[1:] == ["pull"]:
        _, found = operands(rest[2:], _CTR_PULL)
        yield from (Image(word, named) for word in found[:1])
        return
    if texts[:1] in (["containers"], ["container"], ["c"]) and texts[1:] == ["create"]:
        rest = rest[1:]
    if rest and rest[0].text in ("run", "create"):
        options, found = split(rest[1:], _CTR_RUN)
        if not any(option.name == "--rootfs" for option in options):
            yield from (Image(word, named) for word in found[:1])


def _skopeo(words: Sequence[Word]) -> Iterator[Image]:
    _, rest = split(words, _SKOPEO_GLOBAL)
    if not rest or rest[0].text not in ("copy", "sync"):
        return
    options, found = operands(rest[1:], _SKOPEO_COPY)
    if rest[0].text == "copy":
        yield from (Image(word, named) for word in found[:1])
    elif any(word.text == "docker" for word in value_of(options, "-s", "--src")):
        for word in found[:1]:
            tagged = ":" in word.text.rpartition("/")[2] or "@" in word.text
            yield Image(word, named if tagged else _all_tags)


def _kubectl(words: Sequence[Word]) -> Iterator[Image]:
    options, found = operands(words, _KUBECTL)
    if found and found[0].text in ("run", "create", "debug"):
        yield from (Image(word, named) for word in value_of(options, "--image"))


PROGRAMS: dict[str, Callable[[Sequence[Word]], Iterator[Image]]] = {
    **dict.fromkeys(("singularity", "apptainer", "singularity-ce"), _singularity),
    "enroot": _enroot_command,
    **dict.fromkeys(("docker", "nvidia-docker", "nerdctl"), lambda words: _engine(words, named)),
    **dict.fromkeys(("podman", "podman-hpc"), lambda words: _engine(words, _podman)),
    "crictl": _crictl,
    "ctr": _ctr,
    "skopeo": _skopeo,
    **dict.fromkeys(("kubectl", "oc"), _kubectl),
}
