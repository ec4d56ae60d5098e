"""The images, the compose files and the example for a cluster: confined, and with room to write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import ValidationError

from bot.settings import BotSettings
from inference_service.settings import Settings
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
TLS = yaml.safe_load((DEPLOY / "compose.tls.yaml").read_text())
MTLS = yaml.safe_load((DEPLOY / "compose.mtls.yaml").read_text())
REPLICAS = yaml.safe_load((DEPLOY / "compose.replicas.yaml").read_text())
CLUSTER = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
BOTS = list(yaml.safe_load_all((DEPLOY / "kubernetes-bots.yaml").read_text()))
RAY = yaml.safe_load((DEPLOY / "kubernetes-ray.yaml").read_text())
SCHEMAS = "1.37.0"
OURS = ("service", "bot")
WRITTEN = {
    "service": ("NOTABOT_CACHE_DIRECTORY", "NOTABOT_JOURNAL_DIRECTORY", "NOTABOT_MODELS_WEIGHTS"),
    "bot": ("BOT_STATE_PATH",),
}
"""Settings that name what must outlive a container."""

SCRATCH = {"service": ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME"), "bot": ()}
VALUES = {
    "BOT_TOKEN": "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "NOTABOT_SERVER_TOKEN": "for-callers",
    "NOTABOT_SERVER_ADMIN_TOKEN": "for-administrators",
    "NOTABOT_STATE_PASSWORD": "secret",
    "NOTABOT_BUCKET_KEY": "key",
}
KEYS = {
    "bot-token": VALUES["BOT_TOKEN"],
    "api-token": "for-callers",
    "admin-token": "for-admins",
    "state-url": "valkey://:secret@notabot-valkey:6379/0",
    "bucket-key-id": "id",
    "bucket-key": "key",
}


def _image(name: str) -> dict[str, str]:
    """Return the environment that an image sets."""
    text = (DEPLOY / f"{name}.Dockerfile").read_text().replace("\\\n", " ")
    lines = re.findall(r"^ENV (.*)$", text, re.MULTILINE)
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(lines)))


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Replace ``${NAME:-default}`` and ``${NAME:?message}`` as compose does."""

    def replace(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        return value or (match[3] if match[2] == "-" else "")

    return re.sub(r"\$\{(\w+):([-?])([^}]*)\}", replace, text)


def _container(kind: str) -> dict[str, Any]:
    [spec] = [
        item["spec"]["template"]["spec"]
        for item in CLUSTER
        if item["kind"] == "Deployment" and item["metadata"]["name"] == f"notabot-{kind}"
    ]
    [container] = spec["containers"]
    return {**container, "pod": spec}


def _environment(place: str, kind: str, values: Mapping[str, str] = VALUES) -> dict[str, str]:
    """Return what a container's program finds in its environment."""
    if place == "compose":
        given = COMPOSE["services"][kind]["environment"]
        more = {name: _fill(str(value), values) for name, value in given.items()}
    else:
        more = {
            item["name"]: item.get("value") or KEYS[item["valueFrom"]["secretKeyRef"]["key"]]
            for item in _container(kind)["env"]
        }
    return _image(kind) | more


def _mounts(place: str, kind: str) -> tuple[list[str], list[str]]:
    """Return the folders that are kept, and those that end with the container."""
    if place == "compose":
        service = COMPOSE["services"][kind]
        volumes = [volume.split(":")[1] for volume in service["volumes"]]
        return volumes, [mount.split(":")[0] for mount in service["tmpfs"]]
    container = _container(kind)
    by_name = {volume["name"]: volume for volume in container["pod"]["volumes"]}
    kept: list[str] = []
    scratch: list[str] = []
    for mount in container["volumeMounts"]:
        is_kept = "persistentVolumeClaim" in by_name[mount["name"]]
        (kept if is_kept else scratch).append(mount["mountPath"])
    return kept, scratch


@pytest.mark.parametrize("place", ["compose", "cluster"])
@pytest.mark.parametrize("kind", OURS)
def test_what_is_written_is_on_a_volume_or_in_scratch(place: str, kind: str) -> None:
    environment = _environment(place, kind)
    kept, scratch = _mounts(place, kind)
    assert all(
        any(PurePosixPath(environment[name]).is_relative_to(folder) for folder in kept)
        for name in WRITTEN[kind]
    )
    assert all(
        any(PurePosixPath(environment[name]).is_relative_to(folder) for folder in scratch)
        for name in SCRATCH[kind]
    )
    assert "/tmp" in scratch
    assert f"VOLUME {kept[0]}" in (DEPLOY / f"{kind}.Dockerfile").read_text()


@pytest.mark.parametrize("place", ["compose", "cluster"])
def test_the_programs_accept_their_environment(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    for kind in OURS:
        environment = _environment(place, kind)
        for name, value in environment.items():
            if name.startswith(("NOTABOT_", "BOT_")):
                monkeypatch.setenv(name, value)
    service, bot = Settings(_env_file=None), BotSettings(_env_file=None)
    assert not service.server.is_local
    assert service.server.token == bot.service_token
    assert service.server.admin_token == bot.admin_service_token
    host, _, port = bot.service_address.rpartition(":")
    assert service.server.listen.endswith(f":{port}")
    known = {f"BOT_{name.upper()}" for name in BotSettings.model_fields}
    assert {n for n in _environment(place, "bot") if n.startswith("BOT_")} <= known
    named = host if place == "compose" else host.removeprefix("notabot-")
    assert named == "service"


def test_the_image_does_not_serve_everyone_by_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _image("service").items():
        if name.startswith("NOTABOT_"):
            monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match="NOTABOT_SERVER_TOKEN"):
        Settings(_env_file=None)


WHOLE = [(COMPOSE, name) for name in COMPOSE["services"]] + [
    (REPLICAS, name) for name in REPLICAS["services"] if name not in COMPOSE["services"]
]


@pytest.mark.parametrize(("compose", "name"), WHOLE, ids=[name for _, name in WHOLE])
def test_compose_confines_every_container(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert {"mem_limit", "memswap_limit", "cpus", "pids_limit"} <= service.keys()
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    named = {volume.split(":")[0] for volume in service["volumes"]}
    assert {volume for volume in named if not volume.startswith(".")} <= compose["volumes"].keys()


@pytest.mark.parametrize("kind", OURS)
def test_the_cluster_confines_every_container(kind: str) -> None:
    container = _container(kind)
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    pod = container["pod"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for amounts in (container["resources"]["requests"], container["resources"]["limits"]):
        assert {"cpu", "memory", "ephemeral-storage"} <= amounts.keys()
    claims = {item["metadata"]["name"] for item in CLUSTER if "Claim" in item["kind"]}
    assert {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    } <= claims


def check_resource(resource: dict[str, Any]) -> None:
    """Raise if a resource does not follow the schemas."""
    # Here, as it takes seconds of each worker that collects the tests.
    from kubernetes_validate import validate

    validate(resource, SCHEMAS, strict=True)


@pytest.mark.parametrize("number", range(len(CLUSTER + BOTS)))
def test_the_cluster_follows_the_schemas(number: int) -> None:
    check_resource((CLUSTER + BOTS)[number])


def test_several_bots_are_the_one_bot_with_shared_state() -> None:
    alone, several = (
        next(item for item in items if item["metadata"]["name"] == "notabot-bot")["spec"]
        for items in ([i for i in CLUSTER if i["kind"] == "Deployment"], BOTS)
    )
    [one], [many] = (spec["template"]["spec"]["containers"] for spec in (alone, several))
    assert one["image"] == many["image"]
    added = {entry["name"] for entry in many["env"]} - {entry["name"] for entry in one["env"]}
    assert added == {
        "BOT_SHARED_STATE_URL",
        "BOT_WEBHOOK_URL",
        "BOT_WEBHOOK_LISTEN",
        "BOT_WEBHOOK_SECRET",
    }
    assert not [entry["name"] for entry in one["env"] if entry not in many["env"]]
    assert "replicas" not in several, "the autoscaler would be overruled"


def test_a_misspelt_field_is_found() -> None:
    broken = deepcopy(CLUSTER[0])
    broken["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    from kubernetes_validate import ValidationError as InvalidResource

    with pytest.raises(InvalidResource, match="livenesProbe"):
        check_resource(broken)


def _checks() -> Iterator[list[str]]:
    service = _container("service")
    yield from (service[f"{kind}Probe"]["exec"]["command"] for kind in ("startup", "readiness"))
    yield service["livenessProbe"]["exec"]["command"]
    yield COMPOSE["services"]["service"]["healthcheck"]["test"][1:]


def test_every_probe_asks_the_health_service() -> None:
    port = _image("service")["NOTABOT_SERVER_LISTEN"].rpartition(":")[2]
    checks = list(_checks())
    assert checks == [["python", "deploy/healthcheck.py", f"127.0.0.1:{port}"]] * 4
    assert (ROOT / checks[0][1]).exists()


@pytest.mark.parametrize("kind", OURS)
def test_a_policy_limits_who_calls_whom(kind: str) -> None:
    [policy] = [
        item["spec"]
        for item in CLUSTER
        if item["kind"] == "NetworkPolicy"
        and item["spec"]["podSelector"]["matchLabels"] == {"app": f"notabot-{kind}"}
    ]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    callers = [rule["from"] for rule in policy["ingress"] if {"port": 50051} in rule["ports"]]
    bot = {"podSelector": {"matchLabels": {"app": "notabot-bot"}}}
    assert callers == ([[bot]] if kind == "service" else [])
    assert all(rule["ports"] for rule in policy["egress"])


def _named(kind: str, name: str) -> dict[str, Any]:
    items: list[dict[str, Any]] = [
        item for item in CLUSTER if (item["kind"], item["metadata"]["name"]) == (kind, name)
    ]
    [item] = items
    return item


def test_replicas_of_the_service_share_what_they_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _environment("cluster", "service").items():
        if name.startswith("NOTABOT_"):
            monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert settings.cache.url.startswith("s3://")
    assert settings.shared.state_url is not None
    state = urlsplit(settings.shared.state_url.get_secret_value())
    [port] = _named("Service", "notabot-valkey")["spec"]["ports"]
    assert (state.hostname, state.port) == ("notabot-valkey", port["port"])
    claim = _named("PersistentVolumeClaim", "notabot-service")["spec"]
    assert claim["accessModes"] == ["ReadWriteMany"]
    assert "ARG EXTRAS=service" in (DEPLOY / "service.Dockerfile").read_text()


def test_replicas_on_one_machine_share_what_they_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    service, services = REPLICAS["services"]["service"], REPLICAS["services"]
    environment = {n: _fill(str(value), VALUES) for n, value in service["environment"].items()}
    for name, value in (_environment("compose", "service") | environment).items():
        if name.startswith("NOTABOT_"):
            monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert settings.shared.state_url is not None
    state = urlsplit(settings.shared.state_url.get_secret_value())
    assert (state.hostname, state.password) == ("valkey", VALUES["NOTABOT_STATE_PASSWORD"])
    assert urlsplit(environment["AWS_ENDPOINT"]).hostname == "bucket"
    bucket = urlsplit(settings.cache.url).netloc
    assert services["bucket"]["volumes"] == [f"results:/data/{bucket}"]
    keys = services["bucket"]["environment"]
    assert keys["ROOT_ACCESS_KEY_ID"] == environment["AWS_ACCESS_KEY_ID"]
    assert keys["ROOT_SECRET_ACCESS_KEY"] == service["environment"]["AWS_SECRET_ACCESS_KEY"]
    assert service["deploy"]["replicas"] == 2
    assert set(service["depends_on"]) <= services.keys()
    assert "shared" in service["build"]["args"]["EXTRAS"].split(",")


def test_bots_on_one_machine_share_a_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = REPLICAS["services"]["bot"]
    values = {
        **VALUES,
        "BOT_WEBHOOK_URL": "https://notabot.example.org/webhook",
        "BOT_WEBHOOK_SECRET": "secret-of-the-webhook",
    }
    environment = {name: _fill(str(value), values) for name, value in bot["environment"].items()}
    for name, value in (_environment("compose", "bot", values) | environment).items():
        if name.startswith("BOT_"):
            monkeypatch.setenv(name, value)
    settings = BotSettings(_env_file=None)
    assert settings.webhook_url is not None
    assert settings.shared_state_url is not None
    state = REPLICAS["services"]["service"]["environment"]["NOTABOT_SHARED_STATE_URL"]
    assert settings.shared_state_url.get_secret_value() == _fill(state, values)
    [port] = COMPOSE["services"]["bot"]["ports"]
    assert settings.webhook_listen.rpartition(":")[2] == port.rpartition(":")[2]
    assert bot["deploy"]["replicas"] == 2
    assert "shared" in bot["build"]["args"]["EXTRAS"].split(",")
    assert "ARG EXTRAS=bot" in (DEPLOY / "bot.Dockerfile").read_text()


def test_every_replica_is_scraped() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus.replicas.yaml").read_text())
    [job] = config["scrape_configs"]
    [names] = job["dns_sd_configs"]
    port = _environment("compose", "service")["NOTABOT_SERVER_METRICS_LISTEN"].rpartition(":")[2]
    assert (names["names"], names["port"]) == (["service"], int(port))
    alone = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())
    assert job["job_name"] == alone["scrape_configs"][0]["job_name"]
    assert config["rule_files"] == alone["rule_files"]


def test_replicas_are_scaled_and_never_all_stopped() -> None:
    scaler = _named("HorizontalPodAutoscaler", "notabot-service")["spec"]
    deployment = _named("Deployment", "notabot-service")["spec"]
    budget = _named("PodDisruptionBudget", "notabot-service")["spec"]
    assert scaler["scaleTargetRef"]["name"] == "notabot-service"
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert "replicas" not in deployment  # `kubectl apply` would undo the autoscaler's choice
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]
    assert _named("Service", "notabot-service")["spec"]["clusterIP"] == "None"


def test_a_drain_may_finish_what_is_in_work() -> None:
    pod = _container("service")
    drain_s = float(_environment("cluster", "service")["NOTABOT_ENGINE_DRAIN_S"])
    pause_s = pod["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["pod"]["terminationGracePeriodSeconds"] >= drain_s + pause_s + 30


def test_valkey_keeps_what_it_is_told_and_is_called_by_services_alone() -> None:
    [container] = _named("StatefulSet", "notabot-valkey")["spec"]["template"]["spec"]["containers"]
    options = dict(zip(container["args"][::2], container["args"][1::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--requirepass"] == "$(PASSWORD)"
    policy = _named("NetworkPolicy", "notabot-valkey")["spec"]
    service = {"podSelector": {"matchLabels": {"app": "notabot-service"}}}
    assert [rule["from"] for rule in policy["ingress"]] == [[service]]
    assert policy["egress"] == []


@pytest.mark.parametrize("group", ["head", "cores", "devices"])
def test_replicas_on_ray_run_the_services_image_confined(group: str) -> None:
    spec = RAY["spec"]
    groups = {item["groupName"]: item for item in spec["workerGroupSpecs"]}
    pod = (groups | {"head": spec["headGroupSpec"]})[group]["template"]
    check_resource({"apiVersion": "v1", "kind": "Pod", **pod})
    service = _container("service")
    [container] = pod["spec"]["containers"]
    assert container["image"] == service["image"]
    assert pod["spec"]["securityContext"] == service["pod"]["securityContext"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert {"name": "RAY_AUTH_MODE", "value": "token"} in container["env"]
    assert service["volumeMounts"][0] in container["volumeMounts"]  # weights
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_certificates_are_demanded_and_shown() -> None:
    service, bot = MTLS["services"]["service"], MTLS["services"]["bot"]
    assert service["environment"].keys() == {"NOTABOT_SERVER_TLS_CLIENT_CA"}
    assert bot["environment"].keys() == {"BOT_SERVICE_TLS_CERT", "BOT_SERVICE_TLS_KEY"}
    assert MTLS["secrets"].keys() | TLS["secrets"].keys() >= {
        *service["secrets"],
        *bot["secrets"],
    }
    assert all(
        PurePosixPath(path).name in part["secrets"]
        for part in (service, bot)
        for path in part["environment"].values()
    )


def test_tls_is_turned_on_at_both_ends() -> None:
    service, bot = TLS["services"]["service"], TLS["services"]["bot"]
    paths = [*service["environment"].values(), *bot["environment"].values()]
    assert sorted(PurePosixPath(path).name for path in paths) == sorted(TLS["secrets"])
    assert service["environment"].keys() == {"NOTABOT_SERVER_TLS_CERT", "NOTABOT_SERVER_TLS_KEY"}
    assert bot["environment"].keys() == {"BOT_SERVICE_TLS_CA"}
    assert all(
        PurePosixPath(path).name in part["secrets"]
        for part in (service, bot)
        for path in part["environment"].values()
    )
