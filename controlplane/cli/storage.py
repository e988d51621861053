"""backup, restore: the whole state of a control plane as one SQLite file, from SQLite and from PostgreSQL, and back.

A restore goes only where nothing is yet. So `backup` of one and `restore` into the other moves a control plane.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli.client import fail
from controlplane.cli.controlplane import Store
from controlplane.cli.processes import DEFAULT_STATE, State
from controlplane.errors import SerinusError
from controlplane.store.copying import copy_store
from controlplane.store.port import StoreError
from controlplane.store.sqlite import DATABASE, SqliteStore


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    state: State = DEFAULT_STATE,
    store: Store = None,
) -> None:
    """Journal, manifests and evidence into one file, while the control plane runs. Example: serinus backup today.db"""
    # Here and below: asyncpg takes its time to load, which `serinus get` must not pay.
    from controlplane.store.postgres import PostgresStore

    with _told(), _whole(file) as part:
        if store is None:
            source = state.expanduser() / DATABASE
            if not source.is_file():
                raise StoreError(f"{source}: no such state", next_step="give --state or --store")
            with closing(SqliteStore(source)) as running:
                running.back_up(part)
        else:
            with closing(PostgresStore(store)) as shared, closing(SqliteStore(part)) as target:
                copy_store(shared, target, shared.newest)
    typer.echo(f"{file}: {file.stat().st_size} bytes")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `serinus backup` wrote.")],
    state: State = DEFAULT_STATE,
    store: Store = None,
) -> None:
    """A backup into an empty state directory or database, before a control plane starts on it.

    Example: serinus restore today.db --state /var/lib/serinus
    """
    with _told(), tempfile.TemporaryDirectory() as directory:
        if store is None:
            _restore_file(file, state.expanduser() / DATABASE)
        else:
            # A copy: opening a database may write to it.
            _restore_shared(Path(shutil.copy(file, directory)), store)
    typer.echo("restored: start the control plane on it")


def _restore_file(file: Path, target: Path) -> None:
    if target.exists():
        raise StoreError(f"{target} exists: nothing was changed", next_step="name an empty --state")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _whole(target) as part:
        shutil.copyfile(file, part)
        with closing(SqliteStore(part)):
            pass


def _restore_shared(copy: Path, address: str) -> None:
    from controlplane.store.postgres import PostgresStore

    with closing(SqliteStore(copy)) as source, closing(PostgresStore(address)) as shared:
        term = shared.lead()
        if term is None:
            raise StoreError("a control plane leads on this database: nothing was changed", next_step="stop them all")
        shared.write_as(term)
        try:
            copy_store(source, shared, lambda: 0)
        finally:
            shared.resign()


@contextlib.contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """A file to write, of the owner alone, which takes its name once it is whole. One that is there stays."""
    if file.exists():
        raise StoreError(f"{file} exists: nothing was changed", next_step="give another name")
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".serinus-") as directory:
        part = Path(directory) / DATABASE
        part.touch(mode=0o600)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(file)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SerinusError as error:
        raise fail(str(error)) from error
    except OSError as error:
        raise fail(f"{error.filename}: {error.strerror}") from error
