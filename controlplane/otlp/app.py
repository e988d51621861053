"""What a control plane that was told `--otlp` sends, put together; the extra is loaded here and nowhere else."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from controlplane.engine.runner import Engine
from controlplane.otlp.client import OtlpClient, read_headers
from controlplane.settings import ControlPlaneSettings, SettingsError
from controlplane.telemetry.exporter import Exporter

if TYPE_CHECKING:
    from controlplane.otlp.runner import OtlpRunner


def otlp_runner(
    settings: ControlPlaneSettings,
    engine: Engine,
    exporter: Exporter,
    *,
    text: Callable[[], bytes],
    is_leading: Callable[[], bool],
) -> "OtlpRunner | None":
    """None without `--otlp`. Raises SettingsError."""
    if settings.otlp is None:
        return None
    try:
        from controlplane.otlp.runner import OtlpRunner, origin_of
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"--otlp needs {error.name}, which is not installed", next_step="pip install 'serinus[otlp]'"
        ) from None
    headers = read_headers(settings.otlp_headers) if settings.otlp_headers else {}
    client = OtlpClient(settings.otlp, headers)
    return OtlpRunner(engine, client, exporter, origin_of(engine.now_ms()), text=text, is_leading=is_leading)
