"""The database server's configuration."""

from shared.local.postgres_settings import rapport_conf


def test_the_database_listens_on_this_machine_only_and_writes_no_socket_file() -> None:
    text = rapport_conf(20001, lz4=False)
    assert "listen_addresses = '127.0.0.1'\n" in text
    assert "unix_socket_directories = ''\n" in text
    assert "port = '20001'\n" in text


def test_the_database_is_as_durable_as_in_production() -> None:
    text = rapport_conf(20001, lz4=False)
    assert "fsync = 'on'\n" in text
    assert "synchronous_commit = 'on'\n" in text


def test_customers_values_stay_out_of_the_log() -> None:
    text = rapport_conf(20001, lz4=False)
    assert "log_min_error_statement = 'panic'\n" in text
    assert "log_error_verbosity = 'terse'\n" in text


def test_changes_are_compressed_by_lz4_where_the_programs_have_it() -> None:
    assert "wal_compression = 'lz4'\n" in rapport_conf(20001, lz4=True)
    assert "wal_compression = 'off'\n" in rapport_conf(20001, lz4=False)
