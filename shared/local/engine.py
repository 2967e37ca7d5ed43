"""The container engine behind CRM_STACK=containers, reached through testcontainers."""

from docker.errors import DockerException, NotFound  # type: ignore[import-untyped]  # has no type information
from docker.models.containers import Container  # type: ignore[import-untyped]  # has no type information
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from shared.local.containers import ContainerSpec
from shared.local.errors import NoContainerEngineError


class DockerEngine:
    """An engine that answers the Docker API."""

    def __init__(self) -> None:
        # The reaper would remove our containers when this process ends; the stack outlives `rapport up`.
        testcontainers_config.ryuk_disabled = True

    def run(self, spec: ContainerSpec) -> None:
        """Start the container of this name, creating it first unless it exists. Raises NoContainerEngineError."""
        try:
            existing = self._find(spec.name)
            if existing is not None:
                existing.start()  # nothing when it runs
                return
            fresh = DockerContainer(spec.image).with_name(spec.name)
            for key, value in spec.environment.items():
                fresh.with_env(key, value)
            # Only to this host, never to its network; the engine takes such a pair, testcontainers' type does not say.
            fresh.ports[f"{spec.inner_port}/tcp"] = ("127.0.0.1", spec.outer_port)  # type: ignore[assignment]  # above
            fresh.start()
        except DockerException as error:
            raise NoContainerEngineError(_first_line(error)) from error

    def stop(self, name: str) -> None:
        """Stop the container and keep it; nothing when there is none."""
        try:
            existing = self._find(name)
            if existing is not None:
                existing.stop(timeout=30)
        except DockerException as error:
            raise NoContainerEngineError(_first_line(error)) from error

    def remove(self, name: str) -> None:
        """Stop the container and delete it with its data; nothing when there is none."""
        try:
            existing = self._find(name)
            if existing is not None:
                existing.remove(force=True, v=True)
        except DockerException as error:
            raise NoContainerEngineError(_first_line(error)) from error

    def running(self, name: str) -> bool:
        """Tell whether the container of this name runs; False without an engine."""
        try:
            existing = self._find(name)
        except DockerException:
            return False
        return existing is not None and existing.status == "running"

    def logs(self, name: str) -> str:
        """Give the last lines that it wrote."""
        existing = self._find(name)
        return "" if existing is None else existing.logs(tail=25).decode(errors="replace")

    def _find(self, name: str) -> Container | None:
        try:
            return DockerClient().client.containers.get(name)
        except NotFound:
            return None


def _first_line(error: DockerException) -> str:
    return str(error).strip().splitlines()[0]
