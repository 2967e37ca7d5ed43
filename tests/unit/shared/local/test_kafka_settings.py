"""The broker's configuration."""

from pathlib import Path

from shared.local.kafka_settings import container_environment, escape, server_properties


def lines(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_the_broker_listens_on_this_machine_only() -> None:
    settings = lines(server_properties(20001, 20002, Path("/data")))
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert settings["advertised.listeners"] == "PLAINTEXT://127.0.0.1:20001"


def test_a_misspelt_topic_is_not_created() -> None:
    assert lines(server_properties(20001, 20002, Path("/data")))["auto.create.topics.enable"] == "false"


def test_one_node_needs_no_second_replica() -> None:
    settings = lines(server_properties(20001, 20002, Path("/data")))
    replicas = {key: value for key, value in settings.items() if "replication.factor" in key or ".isr" in key}
    assert len(replicas) >= 5
    assert set(replicas.values()) == {"1"}


def test_a_folder_of_any_name_survives_the_format_of_java_properties() -> None:
    assert escape("/data/Kühe\\x\U0001f404") == "/data/K\\u00fche\\\\x\\ud83d\\udc04"


def test_a_container_is_told_the_same_and_advertises_the_port_of_the_host() -> None:
    variables = container_environment(20001, 20002)
    assert variables["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:20001"
    assert variables["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
