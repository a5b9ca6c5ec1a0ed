"""What is measured: each verb beside the peer that does the same work, in turn, in the same run.

How the peers work: `skopeo copy` runs once per image, all five into one OCI layout, so that it too
stores a shared layer once; it does not fsync, we do. Registries are CNCF Distribution on loopback.
Everything that is read was read before (the page cache is warm for both), and dirty pages are
written out before each run.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import services
from tests.bench import measure, slurmd_log
from tests.bench.content import LARGE_FACTOR, Content, Image
from tests.bench.measure import Measurement
from tests.bench.report import Comparison, Peak, Report, Way

ROOT = Path(__file__).resolve().parents[2]
SMALL = Image("library/small:1", ("small",))
LARGE = Image("library/large:1", ("large",))
_BASE = ("python-b", "local")
SHARING = (
    Image("team/base:1", _BASE),
    Image("team/train:1", (*_BASE, "python-c")),
    Image("team/infer:1", (*_BASE, "python-d")),
    Image("team/cuda:1", (*_BASE, "toolkit")),
    Image("team/build:1", (*_BASE, "compilers")),
)
"""Five that share two layers: `pixz` would need hours for images as large as NGC's."""


@dataclass(slots=True)
class Bench:
    """The services and directories of a run."""

    content: Content
    work: Path
    repeats: int
    say: Callable[[str], None]
    report: Report
    registry: services.Distribution = field(init=False)
    _bundle: Path | None = None

    # --- commands ---------------------------------------------------------------------------------

    def ours(self, *arguments: str | Path) -> Measurement:
        return measure.run([*airgap_tui(), *arguments, "--progress", "none"], self._environment())

    def skopeo(self, *arguments: str | Path) -> Measurement:
        return measure.run([services.program("skopeo"), "--insecure-policy", *arguments])

    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT), "HOME": str(self.work)}

    def source(self, image: Image) -> str:
        return f"{self.registry.host}/{image.name}"

    def save(self, bundle: Path, *options: str, images: Sequence[Image] = ()) -> Measurement:
        names = [self.source(image) for image in images or self.content.images]
        return self.ours("save", *names, "-b", bundle, *options)

    def skopeo_save(self, layout: Path) -> Measurement:
        total = measure.NOTHING
        for number, image in enumerate(self.content.images):
            total += self.skopeo(
                *("copy", "--quiet", "--src-tls-verify=false"),
                *(f"docker://{self.source(image)}", f"oci:{layout}:image-{number}"),
            )
        return total

    def skopeo_push(self, layout: Path, host: str) -> Measurement:
        total = measure.NOTHING
        for number, image in enumerate(self.content.images):
            total += self.skopeo(
                *("copy", "--quiet", "--dest-tls-verify=false"),
                *(f"oci:{layout}:image-{number}", f"docker://{host}/{image.name}"),
            )
        return total

    # --- things to work on ------------------------------------------------------------------------

    def fill_registry(self) -> None:
        """The source registry keeps its storage in the cache."""
        for image in (*self.content.images, *SHARING, SMALL, LARGE):
            self.content.push(self.registry.host, image)
        blobs = [self.registry.blob_path(layer.digest) for layer in self.content.layers]
        measure.read_through(blobs)

    @property
    def bundle(self) -> Path:
        """A bundle of the five images, made once."""
        if self._bundle is None:
            self._bundle = self.work / "bundle"
            self.save(self._bundle)
        return self._bundle

    @contextmanager
    def empty_directory(self, name: str) -> Iterator[Path]:
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def empty_registry(self) -> Iterator[services.Distribution]:
        """A registry with nothing in it, on the disk that everything else is on."""
        with self.empty_directory("registry") as root:
            registry = services.start_distribution(root=root)
            try:
                yield registry
            finally:
                registry.stop()

    @contextmanager
    def engine(self) -> Iterator[services.DockerEngine]:
        """A `dockerd` of its own with its data on that disk too."""
        with self.empty_directory("docker") as data:
            engine = services.start_docker_engine(["--data-root", str(data)])
            try:
                yield engine
            finally:
                engine.stop()


def airgap_tui() -> list[str]:
    """The command as it is installed beside this Python, or the module of this tree."""
    script = Path(sys.executable).with_name("airgap-tui")
    return [str(script)] if script.exists() else [sys.executable, "-m", "airgap_tui"]


def compare(
    bench: Bench,
    comparison: Comparison,
    ours: Callable[[], Measurement],
    peer: Callable[[], Measurement],
) -> None:
    """Run both in turn, as often as asked."""
    bench.report.comparisons.append(comparison)
    for number in range(bench.repeats):
        for runs, run, who in (
            (comparison.ours, ours, "airgap-tui"),
            (comparison.peer, peer, comparison.what),
        ):
            measure.settle()
            runs.append(run())
            seconds = runs[-1].seconds
            bench.say(f"{comparison.name} {number + 1}/{bench.repeats} {who}: {seconds:.2f} s")


# --- the cases ------------------------------------------------------------------------------------


def save(bench: Bench) -> None:
    def ours() -> Measurement:
        with bench.empty_directory("save") as bundle:
            return bench.save(bundle)

    def peer() -> Measurement:
        with bench.empty_directory("layout") as layout:
            return bench.skopeo_save(layout)

    compare(bench, Comparison("save", "skopeo copy", bench.content.size, 3), ours, peer)


def push(bench: Bench) -> None:
    bundle = bench.bundle
    with bench.empty_directory("layout") as layout:
        bench.skopeo_save(layout)

        def ours() -> Measurement:
            with bench.empty_registry() as registry:
                return bench.ours("push", bundle, registry.host)

        def peer() -> Measurement:
            with bench.empty_registry() as registry:
                return bench.skopeo_push(layout, registry.host)

        compare(bench, Comparison("push", "skopeo copy", bench.content.size, 1.5), ours, peer)


def verify(bench: Bench) -> None:
    """Against what the processors can hash where all is in the cache, and against what the disk can
    read where nothing is."""
    bundle = bench.bundle
    size = measure.size_of(bundle / "blobs")
    files = [path for path in (bundle / "blobs").rglob("*") if path.is_file()]
    measure.read_through(files)
    cores = len(os.sched_getaffinity(0))
    rates = []
    comparison = Comparison("verify", f"SHA-256 of {cores} cores", size, 0.7)
    for number in range(bench.repeats):
        rates.append(measure.sha256_rate())
        comparison.ours.append(bench.ours("verify", bundle))
        seconds = comparison.ours[-1].seconds
        bench.say(
            f"verify {number + 1}/{bench.repeats}: {seconds:.2f} s;"
            f" one core hashes {rates[-1] / 1e6:.0f} MB/s"
        )
    comparison.limit = size / (cores * sorted(rates)[len(rates) // 2])
    bench.report.comparisons.append(comparison)

    def ours() -> Measurement:
        measure.forget(files)
        return bench.ours("verify", bundle)

    def peer() -> Measurement:
        measure.forget(files)
        reading = 'find "$0" -type f -print0 | xargs -0 -n 1 -P 4 cat > /dev/null'
        return measure.run(["sh", "-c", reading, str(bundle / "blobs")])

    compare(bench, Comparison("verify, cold", "cat of 4 files at once", size, 0.7), ours, peer)


def export(bench: Bench) -> None:
    """A bundle onto the disk that it is on, beside `cp`; nothing of it in the cache, all synced."""
    bundle = bench.bundle
    files = [path for path in bundle.rglob("*") if path.is_file()]
    copy = ["sh", "-c", 'cp -r "$0" "$1" && sync -f "$1"', str(bundle)]
    for form in ("dir", "tar"):

        def ours(form: str = form) -> Measurement:
            with bench.empty_directory("medium") as medium:
                measure.forget(files)
                return bench.ours("export", bundle, medium, "--format", form, "--no-tool")

        def peer() -> Measurement:
            with bench.empty_directory("copy") as target:
                measure.forget(files)
                return measure.run([*copy, target])

        size = measure.size_of(bundle)
        compare(bench, Comparison(f"export, {form}", "cp -r, sync", size, 0.8), ours, peer)


def load(bench: Bench) -> None:
    _load(bench, "load", bench.bundle, 1 / 1.10)


def zstd(bench: Bench) -> None:
    """Layers that the engine may be too old to read: turned to plain tar on the way."""
    with bench.empty_directory("zstd") as bundle:
        bench.save(bundle, "--compress", "zstd")
        _load(bench, "load, zstd layers", bundle, 1 / 1.25)


def _load(bench: Bench, name: str, bundle: Path, need: float) -> None:
    with bench.engine() as engine:
        archive = ready_made_archive(bench, engine)

        def ours() -> Measurement:
            engine.remove_all_images()
            measure.settle()
            return bench.ours("load", bundle, "--host", engine.host)

        def peer() -> Measurement:
            engine.remove_all_images()
            measure.settle()
            docker = services.program("docker")
            return measure.run([docker, "--host", engine.host, "load", "--quiet", "-i", archive])

        size = bench.content.unpacked
        comparison = Comparison(name, "docker load of one tar", size, round(need, 2))
        compare(bench, comparison, ours, peer)


def ready_made_archive(bench: Bench, engine: services.DockerEngine) -> Path:
    """One `docker save` of the five images, kept in the cache."""
    archive = bench.content.directory / "docker-save.tar"
    if not archive.exists():
        bench.say("making one docker save archive of the five images")
        names = pull(bench, engine)
        partial = archive.with_suffix(".partial")
        docker = services.program("docker")
        measure.run([docker, "--host", engine.host, "save", "-o", partial, *names])
        partial.rename(archive)
    measure.read_through([archive])
    return archive


def pull(bench: Bench, engine: services.DockerEngine, images: Sequence[Image] = ()) -> list[str]:
    """Let the engine hold the images, the large five if none are named; their names there."""
    names = [bench.source(image) for image in images or bench.content.images]
    for name in names:
        engine.client.images.pull(name)
    return names


def memory(bench: Bench) -> None:
    """Each verb on an image of one layer, and on one whose layer is ten times larger."""
    peaks: dict[str, list[int]] = {}

    def note(name: str, measurement: Measurement) -> None:
        peaks.setdefault(name, []).append(measurement.peak)
        bench.say(f"{name}: {measurement.peak / 1e6:.0f} MB in {measurement.seconds:.1f} s")

    with bench.engine() as engine:
        for image in (SMALL, LARGE):
            with bench.empty_directory("memory") as bundle, bench.empty_registry() as registry:
                note("save", bench.save(bundle, images=[image]))
                note("verify", bench.ours("verify", bundle))
                note("push", bench.ours("push", bundle, registry.host))
                note("load", bench.ours("load", bundle, "--host", engine.host))
            for codec in ("gzip", "zstd"):
                with bench.empty_directory("memory") as bundle:
                    name = f"save --compress {codec}"
                    note(name, bench.save(bundle, "--compress", codec, images=[image]))
                    if codec == "zstd":
                        engine.remove_all_images()
                        loaded = bench.ours("load", bundle, "--host", engine.host)
                        note("load of zstd layers", loaded)
            with bench.empty_directory("memory") as bundle:
                options = ("--from", "docker", "--host", engine.host)
                engine.remove_all_images()
                engine.client.images.pull(bench.source(image))
                note("save --from docker", bench.save(bundle, *options, images=[image]))
            engine.remove_all_images()
    assert LARGE_FACTOR == 10
    bench.report.peaks += [Peak(name, small, large) for name, (small, large) in peaks.items()]


def old_way(bench: Bench) -> None:
    """`docker save | pixz` per image and `pixz -d | docker load`, beside `save` and `load`."""
    images = SHARING
    docker, pixz = services.program("docker"), services.program("pixz")
    with bench.engine() as engine, bench.empty_directory("old") as archives:
        archives.mkdir()
        names = pull(bench, engine, images)
        files = [archives / f"{number}.tar.xz" for number in range(len(names))]
        command = [docker, "--host", engine.host]
        measure.settle()
        pack = 0.0
        for name, file in zip(names, files, strict=True):
            pack += measure.pipe([*command, "save", name], [pixz], stdout=file)
            bench.say(f"docker save | pixz {name}: {pack:.0f} s so far")
        size = sum(file.stat().st_size for file in files)

        def unpack(file: Path) -> float:
            return measure.pipe([pixz, "-d"], [*command, "load", "--quiet"], stdin=file)

        engine.remove_all_images()
        measure.settle()
        ways = [Way("`docker save \\| pixz`, each", pack, sum(map(unpack, files)), size)]
        bench.say(f"pixz -d | docker load: {ways[0].load:.0f} s")
        for label, options in (
            ("`save` from the registry", ()),
            ("`save` from Docker", ("--from", "docker", "--host", engine.host)),
            (
                "`save` from Docker, zstd",
                ("--from", "docker", "--host", engine.host, "--compress", "zstd"),
            ),
        ):
            with bench.empty_directory("bundle-new") as bundle:
                engine.remove_all_images()
                pull(bench, engine, images)
                measure.settle()
                saved = bench.save(bundle, *options, images=images).seconds
                size = exported_size(bench, bundle)
                engine.remove_all_images()
                measure.settle()
                loaded = bench.ours("load", bundle, "--host", engine.host).seconds
                ways.append(Way(label, saved, loaded, size))
                bench.say(f"{label}: {saved:.0f} s, load {loaded:.0f} s")
    bench.report.ways += ways


def exported_size(bench: Bench, bundle: Path) -> int:
    """Bytes of the medium that carries the bundle, without the tool."""
    with bench.empty_directory("medium") as medium:
        bench.ours("export", bundle, medium, "--format", "tar", "--no-tool")
        return measure.size_of(medium)


def start(bench: Bench) -> None:
    """How long `--help` takes, beside an interpreter that does nothing."""
    bare = [sys.executable, "-c", "pass"]
    for _ in range(20):
        for name, command in (("ours", [*airgap_tui(), "--help"]), ("bare", bare)):
            seconds = measure.run(command, {"PYTHONPATH": str(ROOT)}).seconds
            bench.report.start.setdefault(name, []).append(round(seconds, 4))


def read_slurmd_log(bench: Bench) -> None:
    """1 GB of a log of slurmd, in which Pyxis tells of images: within 20 s and 100 MB."""
    with bench.empty_directory("slurmd") as directory:
        directory.mkdir()
        path = directory / "slurmd.log"
        count = slurmd_log.write(path, 1_000_000_000)
        measure.read_through([path])
        comparison = Comparison("read a slurmd log", "a limit of 20 s", path.stat().st_size, 1)
        comparison.limit = 20.0
        command = [sys.executable, "-m", "tests.bench.slurmd_log", str(path), str(count)]
        for number in range(bench.repeats):
            comparison.ours.append(measure.run(command, {"PYTHONPATH": str(ROOT)}))
            one = comparison.ours[-1]
            bench.say(
                f"slurmd-log {number + 1}/{bench.repeats}: {one.seconds:.2f} s,"
                f" {one.peak / 1e6:.0f} MB, {count} imports"
            )
            if one.peak > 100e6:
                raise measure.CommandFailed(f"it took {one.peak / 1e6:.0f} MB of memory")
        bench.report.comparisons.append(comparison)


def import_volume(bench: Bench) -> None:
    """A tar volume into a bundle, which checks every byte, beside `cp` of the tar; both written to
    the disk at their end."""
    with bench.empty_directory("media") as media, bench.empty_directory("copy") as copy:
        media.mkdir()
        copy.mkdir()
        bench.ours("export", bench.bundle, media, "--format", "tar", "--no-tool")
        (tar,) = media.glob("*.tar")

        def ours() -> Measurement:
            measure.forget([tar])
            with bench.empty_directory("kept") as kept:
                return bench.ours("import", tar, "-b", kept)

        def peer() -> Measurement:
            measure.forget([tar])
            script = f"cp {tar} {copy}/copy && sync {copy}/copy"
            return measure.run(["sh", "-c", script])

        compare(bench, Comparison("import", "cp and sync", tar.stat().st_size, 0.8), ours, peer)


def many_files(bench: Bench) -> None:
    """A tar volume of 50,000 blobs is open within 2 s and 150 MB."""
    with bench.empty_directory("many") as directory:
        directory.mkdir()
        path = directory / "many.tar"
        command = [sys.executable, "-m", "tests.bench.many_files"]
        measure.run([*command, "write", str(path)], {"PYTHONPATH": str(ROOT)})
        comparison = Comparison("open 50,000 blobs", "a limit of 2 s", path.stat().st_size, 1)
        comparison.limit = 2.0
        for number in range(bench.repeats):
            one = measure.run([*command, "open", str(path)], {"PYTHONPATH": str(ROOT)})
            comparison.ours.append(one)
            peak = f"{one.peak / 1e6:.0f} MB"
            bench.say(f"many-files {number + 1}/{bench.repeats}: {one.seconds:.2f} s, {peak}")
            if one.peak > 150e6:
                raise measure.CommandFailed(f"it took {peak} of memory")
        bench.report.comparisons.append(comparison)


def wizard(bench: Bench) -> None:
    """First paint beside a bare app, keys while a job works at full speed, watched beside not."""
    from tests.bench import wizard as screens

    feel = bench.report.feel
    with bench.empty_directory("wizard") as home:
        home.mkdir()
        for _ in range(15):
            for name, command, last in (
                ("paint", screens.WIZARD, "F10"),
                ("bare paint", screens.BARE, "Enter open"),
            ):
                feel.setdefault(name, []).append(screens.first_paint(command, last, home))
        feel["keys"] = screens.key_delays(home, 200)
    references = [bench.source(image) for image in bench.content.images]
    for number in range(bench.repeats):
        for name, run in (("unwatched", screens.unwatched), ("watched", screens.watched)):
            with bench.empty_directory("wizard") as home:
                home.mkdir()
                measure.settle()
                feel.setdefault(name, []).append(run(home, home / "bundle", references))
                bench.say(f"{name} {number + 1}/{bench.repeats}: {feel[name][-1]:.2f} s")


CASES: dict[str, Callable[[Bench], None]] = {
    "start": start,
    "save": save,
    "verify": verify,
    "export": export,
    "push": push,
    "load": load,
    "zstd": zstd,
    "memory": memory,
    "old-way": old_way,
    "wizard": wizard,
    "slurmd-log": read_slurmd_log,
    "import": import_volume,
    "many-files": many_files,
}
