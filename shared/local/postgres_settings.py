"""The database server's configuration, rendered from its port."""

from collections.abc import Mapping

INCLUDE = "include 'rapport.conf'\n"


def rapport_conf(port: int, *, lz4: bool) -> str:
    """Render rapport.conf: durable as in production, roomy for a bulk load, silent about values of rows."""
    return _render(
        {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",  # no file of ours in a folder that others write to
            "max_connections": "200",
            "shared_buffers": "256MB",
            "fsync": "on",
            "synchronous_commit": "on",
            "wal_compression": "lz4" if lz4 else "off",  # pglz costs more than it saves on a local disk
            "max_wal_size": "4GB",
            "checkpoint_timeout": "15min",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %a ",
            # Statements and details of errors hold customers' values: neither goes into the log.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
    )


def _render(settings: Mapping[str, str]) -> str:
    return "".join(f"{key} = '{value}'\n" for key, value in settings.items())
