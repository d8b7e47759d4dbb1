"""The command line's frame: its commands, and how failures become messages and exit codes.

Exit codes: 0 all done; 1 some inputs failed, the rest is done; 2 wrong use or configuration; 3 nothing could be
done; 70 a bug; 130 and 143 interrupted, finished work kept.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from types import FrameType

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from tagtower.errors import TagTowerError, UsageError
from tagtower.faces.cli import (
    backup,
    calibrate,
    client,
    config,
    data,
    demo,
    embed,
    evaluate,
    feedback,
    init,
    keys,
    label,
    ledger,
    models,
    retry,
    serve,
    start,
    tags,
    train,
    videos,
    worker,
)
from tagtower.faces.cli.output import say
from tagtower.storage.atomic import NO_ROOM

SOME_FAILED, WRONG_USE, NOTHING_DONE, BUG, INTERRUPTED, TERMINATED = 1, 2, 3, 70, 130, 143
ISSUES = "the project's issue tracker"

app = typer.Typer(
    name="tagtower",
    help="Learns from your videos and tags, and tags every new video from a tag library that changes by the minute.",
    epilog="Start with: tagtower demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("start")(start.start)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("label")(label.label)
app.command("calibrate")(calibrate.calibrate)
app.command("embed")(embed.embed)
app.command("worker")(worker.worker)
app.add_typer(tags.app, name="tags")
app.command("ledger")(ledger.ledger)
app.command("retry")(retry.retry)
app.command("serve")(serve.serve)
app.command("serve-http", hidden=True)(serve.serve_http)
app.command("init")(init.init)
app.add_typer(videos.app, name="videos")
app.add_typer(backup.app, name="backup")
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")
app.add_typer(feedback.app, name="feedback")
app.add_typer(config.app, name="config")
app.add_typer(keys.app, name="keys")
app.add_typer(client.app, name="client")


def _show_version(wanted: bool) -> bool:
    if wanted:
        from importlib.metadata import version

        print(f"tagtower {version('tagtower')}")  # noqa: T201
        raise typer.Exit
    return wanted


@app.callback()
def frame(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """Learns from your videos and tags, and tags every new video from a library that changes by the minute."""


def run() -> None:
    """Run the command line and leave with its exit code. SIGTERM does what Ctrl-C does.

    Ctrl-C is taken also where the shell started the program in the background, which would have it ignored.
    """
    received: list[int] = []  # signals, the last one last

    def interrupt(number: int, stack: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8 whatever the locale
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    code = main(sys.argv[1:])
    sys.exit(TERMINATED if code == INTERRUPTED and received[-1:] == [signal.SIGTERM] else code)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every failure is told on stderr."""
    try:
        code = _command()(list(arguments), standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        show = getattr(error, "show", None)  # wrong use is shown with the command's usage
        show(file=sys.stderr) if show else say(f"tagtower: {error}")
        return WRONG_USE
    except UsageError as error:
        say(f"tagtower: {error}")
        return WRONG_USE
    except TagTowerError as error:
        say(f"tagtower: {error}")
        return NOTHING_DONE
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has gone, as `| head` does
        _drop_stdout()
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:  # results that go into a file of the shell
            _drop_stdout()
            say(f"tagtower: the output could not be written: {error.strerror}.\n  Free some space.")
            return NOTHING_DONE
        traceback.print_exc()
        say(f"tagtower: this is a bug. Please report it, with the lines above, to {ISSUES}.")
        return BUG
    if code == INTERRUPTED:
        say("tagtower: interrupted; what was finished is kept.")
    return code if isinstance(code, int) else 0


@cache
def _command() -> Callable[..., object]:
    """The whole command line, read from the functions once: that takes longer than many a command."""
    return get_command(app)


def _drop_stdout() -> None:
    """Let what is still buffered vanish: flushed at the end of the program, it would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
