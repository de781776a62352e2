"""The Helm chart, rendered by Helm itself, gives valid Kubernetes objects and keeps the promises of its values."""

import json
import os
import re
from typing import Any

import jsonschema
import pytest
import yaml

import semsim
from semsim_service.host.memory_need import memory_need
from semsim_service.settings import Settings
from tests.deploy.promql import CHART, GUIDE, code_block, rule_queries
from tests.deploy.tools import RenderError, lint, render

EVERYTHING: dict[str, Any] = {
    "config": {"batch_size": 64, "queue": {"pairs": 4096}},
    "extraEnv": [{"name": "SEMSIM_LOG__REQUESTS", "value": "true"}],
    "artifact": {"volume": {"persistentVolumeClaim": {"claimName": "model"}}, "path": "v2"},
    "gpu": {"enabled": True, "required": "tensorrt"},
    "engineCache": {"persistence": True, "storageClassName": "fast", "accessModes": ["ReadWriteMany"]},
    "tls": {"secretName": "semsim-tls", "clientCA": True},
    "autoscaling": {"enabled": True, "kind": "keda"},
    "networkPolicy": {
        "from": [{"podSelector": {"matchLabels": {"role": "fl-server"}}}],
        "egress": [{"ports": [{"port": 4318}]}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
    "service": {"annotations": {"owner": "fl"}, "headless": True},
    "podLabels": {"team": "fl"},
    "podAnnotations": {"team": "fl"},
    "nodeSelector": {"nvidia.com/gpu.present": "true"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "runtimeClassName": "nvidia",
    "imagePullSecrets": [{"name": "registry"}],
}
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "hpa": {"autoscaling": {"enabled": True, "kind": "hpa"}},
    "anonymous": {"auth": {"anonymous": True}, "serviceAccount": {"create": False}},
    "existing": {
        "auth": {"existingSecret": "mine"},
        "engineCache": {"existingClaim": "mine"},
        "gpu": {"enabled": True},
    },
    "bare": {name: {"enabled": False} for name in ("networkPolicy", "podDisruptionBudget", "topologySpread")},
}
# The oldest that the chart takes, and a newer one.
KUBERNETES = ("1.27", "1.34")
# What an operator's definitions describe, which the schemas of Kubernetes do not hold.
CUSTOM = {"ScaledObject", "ServiceMonitor", "PrometheusRule"}


def only(kind: str, **values: Any) -> dict[str, Any]:
    """The manifest of a kind, of which the chart makes one."""
    (manifest,) = [document for document in render(**values) if document["kind"] == kind]
    return manifest


def container(**values: Any) -> dict[str, Any]:
    """The container of the Deployment."""
    return dict(only("Deployment", **values)["spec"]["template"]["spec"]["containers"][0])


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_helm_lints_the_chart(values: dict[str, Any]) -> None:
    """`helm lint --strict` finds nothing."""
    assert lint(**values) == []


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_kubernetes_would_take_the_manifests(values: dict[str, Any], version: str) -> None:
    """Every manifest fits Kubernetes' own schema, strictly: no field that it would not know."""
    validator = pytest.importorskip("kubernetes_validate", reason="needs pip install kubernetes-validate")
    documents = render(**values)
    for document in documents:
        if document["kind"] not in CUSTOM:
            validator.validate(document, version, strict=True)
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"gpu": {"required": "rocm"}},
        {"tls": {"clientCA": True}},
        {"autoscaling": {"targetQueueSeconds": 0}},
        {"image": {"tag": 1.0}},
        {"config": {"auth": {"token": "a-token-in-a-config-map"}}},
        {"extraEnv": [{"name": "SEMSIM_AUTH__TOKEN", "value": "a-token-in-a-manifest"}]},
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any]) -> None:
    """A misspelt name or an impossible value stops the installation."""
    with pytest.raises(RenderError):
        render(**values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEMSIM_CONFIG", "config"),
        ("SEMSIM_GRPC", "config.grpc"),
        ("SEMSIM_GRPC__PORT", "config.grpc.port"),
        ("SEMSIM_REQUEST_SECONDS", "config.request_seconds"),
        ("SEMSIM_WORKERS", "config.workers"),
        ("SEMSIM_SPARE_WORKER", "config.spare_worker"),
        ("SEMSIM_DECODE_THREADS", "config.decode_threads"),
        ("semsim_decode_threads", "config.decode_threads"),
        ("SEMSIM_SCORING_PROCESS", "config.scoring_process"),
        ("SEMSIM_CACHE_BYTES", "config.cache_bytes"),
        ("SEMSIM_LPIPS", "config.lpips"),
        ("SEMSIM_QUEUE", "config.queue"),
        ("SEMSIM_QUEUE__BYTES", "config.queue.bytes"),
        ("SEMSIM_LIMITS", "config.limits"),
        ("SEMSIM_LIMITS__IMAGE_PIXELS", "config.limits.image_pixels"),
    ],
)
def test_what_the_chart_reads_is_no_variable(name: str, value: str) -> None:
    """A setting that the chart itself follows is refused as a variable, with the value to set in its place."""
    with pytest.raises(RenderError, match=rf"expected {value}, which .* got {name} in extraEnv"):
        render(extraEnv=[{"name": name, "value": "1"}])


def test_other_settings_may_be_variables() -> None:
    """A setting that the chart does not follow is passed on."""
    for name in ("SEMSIM_QUEUE__PAIRS", "SEMSIM_GRPC__HOST", "SEMSIM_PROVIDERS__CPU__THREADS", "MY_SEMSIM_WORKERS"):
        assert {"name": name, "value": "1"} in container(extraEnv=[{"name": name, "value": "1"}])["env"]


def test_the_schema_knows_the_values() -> None:
    """values.yaml fits its schema, and the schema has no name that values.yaml does not show."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(values, schema)
    assert set(schema["properties"]) - {"global"} == set(values)
    for name, group in schema["properties"].items():
        if "properties" in group and not name.endswith("Probe"):
            assert set(group["properties"]) == set(values[name]), name


def test_the_pod_is_locked_down() -> None:
    """The Pod is not root, writes to memory and volumes only, and has no capability and no token of the API."""
    for document in render(**EVERYTHING):
        if document["kind"] not in ("Deployment", "Pod"):
            continue
        pod = document["spec"] if document["kind"] == "Pod" else document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        security = pod["containers"][0]["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_the_service_takes_its_environment(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every variable SEMSIM_* that the chart sets is a setting, and so is its configuration file."""
    for name in [name for name in os.environ if name.startswith("SEMSIM_")]:
        monkeypatch.delenv(name)
    environment = {variable["name"]: variable["value"] for variable in container(**values)["env"]}
    if "SEMSIM_CONFIG" in environment:
        config = next(
            d for d in render(**values) if d["kind"] == "ConfigMap" and d["metadata"]["name"] == "demo-semsim-config"
        )
        file = tmp_path_factory.mktemp("config") / "semsim.yaml"
        file.write_text(config["data"]["semsim.yaml"])
        environment["SEMSIM_CONFIG"] = str(file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.batch_size == values.get("config", {}).get(
        "batch_size", Settings.model_fields["batch_size"].default
    )
    assert settings.auth.anonymous == values.get("auth", {}).get("anonymous", False)
    assert (settings.auth.token_file is None) == settings.auth.anonymous


def test_callers_without_a_token_may_name_the_service() -> None:
    """Without a token the service answers to the names of its Service, or to those that the operator gives."""
    anonymous = {"auth": {"anonymous": True}}
    given = {variable["name"]: variable["value"] for variable in container(**anonymous)["env"]}
    name, *longer = json.loads(given["SEMSIM_HTTP__HOSTS"])
    assert [host.split(".")[0] for host in longer] == [name] * 3
    assert longer[-1].endswith(".svc.cluster.local")
    own = container(**anonymous, config={"http": {"hosts": ["semsim.example"]}})["env"]
    assert "SEMSIM_HTTP__HOSTS" not in {variable["name"] for variable in [*own, *container()["env"]]}


def test_volumes_match_their_mounts() -> None:
    """Each mount has a volume, and each volume a mount."""
    for values in VARIANTS.values():
        spec = only("Deployment", **values)["spec"]["template"]["spec"]
        mounts = [mount["name"] for mount in spec["containers"][0]["volumeMounts"]]
        assert mounts == [volume["name"] for volume in spec["volumes"]]


@pytest.mark.parametrize("seconds", [30, 12.5, 50])
def test_an_accepted_request_is_answered(seconds: float) -> None:
    """The grace period holds the pause before SIGTERM, the longest request over HTTP, and one over gRPC after it."""
    assert Settings.model_fields["request_seconds"].default == 30
    config = {} if seconds == 30 else {"request_seconds": seconds}
    spec = only("Deployment", config=config)["spec"]["template"]["spec"]
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pause + 2 * seconds + 5 < spec["terminationGracePeriodSeconds"] <= pause + 2 * seconds + 11
    spec = only("Deployment", config=config, terminationGracePeriodSeconds=7)["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 7


@pytest.mark.parametrize(
    "config",
    [
        {"decode_threads": 4},
        {"decode_threads": 2, "queue": {"bytes": 2**30}, "workers": 3, "cache_bytes": 12345},
        {"decode_threads": 1, "limits": {"request_pixels": 2**23, "body_bytes": 2**24}, "queue": {"bytes": 2**24}},
        {"decode_threads": 1, "limits": {"image_pixels": 2**26}},
        {"decode_threads": 3, "lpips": "/models/lpips", "workers": 2},
        {"decode_threads": 1, "spare_worker": True, "workers": 2},
        {"decode_threads": 1, "scoring_process": False, "cache_bytes": 12345},
    ],
)
def test_the_memory_limit_is_what_the_settings_may_take(config: dict[str, Any]) -> None:
    """The chart counts as the service does, which tells of a limit that is smaller. A given limit wins."""
    need = memory_need(Settings(**{"scoring_process": True} | config))  # the service's default, but for one core
    assert container(config=config)["resources"]["limits"] == {"memory": f"{-(-need // 2**20)}Mi"}
    given = {"limits": {"memory": "1Gi"}}
    assert container(config=config, resources=given)["resources"]["limits"] == {"memory": "1Gi"}


def test_the_service_follows_the_port_of_grpc() -> None:
    """The Pod's port is the one that the service listens on; without gRPC nothing offers it."""
    values: dict[str, Any] = {"config": {"grpc": {"port": 4000}}}
    assert {port["name"]: port["containerPort"] for port in container(**values)["ports"]} == {
        "http": 3000,
        "grpc": 4000,
    }
    ports = only("Service", **values)["spec"]["ports"]
    assert [(port["name"], port["port"], port["targetPort"]) for port in ports][1] == ("grpc", 3001, "grpc")
    headless = only("Service", **values, service={"headless": True})["spec"]["ports"]
    assert headless[1]["port"] == 4000
    for document in render(config={"grpc": {"port": 0}}):
        assert '"grpc"' not in json.dumps(document.get("spec", {})), document["kind"]


@pytest.mark.parametrize(
    ("modes", "surge"), [(["ReadWriteOnce"], 0), (["ReadWriteOncePod"], 0), (["ReadWriteOnce", "ReadWriteMany"], 1)]
)
def test_an_update_does_not_wait_for_a_claim_that_the_old_pod_holds(modes: list[str], surge: int) -> None:
    """An update adds no Pod where one node alone can mount the engines."""
    values = {"gpu": {"enabled": True}, "engineCache": {"persistence": True, "accessModes": modes}}
    strategy = only("Deployment", **values)["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": surge, "maxUnavailable": 1 - surge}


def test_the_update_strategy_is_the_operators() -> None:
    """A strategy that is set is taken as it is. Recreate gets no rollingUpdate, which Kubernetes would refuse."""
    assert only("Deployment")["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    values: dict[str, Any] = EVERYTHING | {"engineCache": {"persistence": True}}
    wish = {"maxSurge": 1, "maxUnavailable": 0}
    strategy = only("Deployment", **values, updateStrategy={"rollingUpdate": wish})["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": wish}
    for rolling in ({}, wish):
        recreate = {"type": "Recreate", "rollingUpdate": rolling}
        assert only("Deployment", **values, updateStrategy=recreate)["spec"]["strategy"] == {"type": "Recreate"}


def test_prometheus_checks_the_certificate_as_it_is_told() -> None:
    """Prometheus checks nothing without tlsConfig, and otherwise exactly what tlsConfig says."""
    options = {"ca": {"secret": {"name": "semsim-tls", "key": "ca.crt"}}, "serverName": "demo-semsim.fl.svc"}
    for given, rendered in (({}, {"insecureSkipVerify": True}), (options, options)):
        monitor = only(
            "ServiceMonitor", tls={"secretName": "semsim-tls"}, serviceMonitor={"enabled": True, "tlsConfig": given}
        )
        assert monitor["spec"]["endpoints"][0]["tlsConfig"] == rendered


@pytest.mark.parametrize("values", [{}, {"nameOverride": "leaks"}, {"fullnameOverride": "x", **EVERYTHING}])
def test_the_alerts_know_the_job(values: dict[str, Any]) -> None:
    """The ServiceMonitor calls the job as the alerts do, whatever the chart is called."""
    (endpoint,) = only("ServiceMonitor", **values | {"serviceMonitor": {"enabled": True}})["spec"]["endpoints"]
    labels = {rule["targetLabel"]: rule["replacement"] for rule in endpoint["relabelings"]}
    jobs = {value for query in rule_queries() for value in re.findall(r'job="([^"]+)"', query.expression)}
    assert jobs == {labels["job"]}
    assert labels.get("accelerator") == ("gpu" if "gpu" in values else None)


def test_helm_test_waits_as_long_as_the_start_may_take() -> None:
    """The check of `helm test` waits as long as the startup probe does, in seconds that its script can read."""
    spec = only("Deployment")["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    (test,) = only("Pod")["spec"]["containers"]
    environment = {variable["name"]: variable["value"] for variable in test["env"]}
    assert int(environment["WAIT_SECONDS"]) == spec["periodSeconds"] * spec["failureThreshold"] == 900


def test_a_gpu_is_asked_for_and_required() -> None:
    """With gpu.enabled the Pod gets a GPU, keeps engines, and does not start without."""
    values = {"gpu": {"enabled": True}}
    assert container(**values)["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert {"name": "SEMSIM_PROVIDERS__REQUIRED", "value": "cuda"} in container(**values)["env"]
    assert "nvidia.com/gpu" not in container()["resources"]["limits"]


def test_selectors_leave_the_test_pod_out() -> None:
    """The Pod of `helm test` gets no traffic and counts for no budget."""
    labels = only("Pod", **EVERYTHING)["metadata"]["labels"]
    for document in render(**EVERYTHING):
        selector = {
            "Service": lambda spec: spec["selector"],
            "Deployment": lambda spec: spec["selector"]["matchLabels"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
        }.get(document["kind"])
        if selector is not None:
            assert not selector(document["spec"]).items() <= labels.items(), document["kind"]


def test_pods_send_nothing_out() -> None:
    """Without networkPolicy.egress the policy allows no connection from the Pods."""
    policy = only("NetworkPolicy")["spec"]
    assert "Egress" in policy["policyTypes"]
    assert policy["egress"] == []


def test_the_query_names_the_pods() -> None:
    """The ScaledObject's query selects what is scraped of the release's Service alone, by its name and namespace."""
    triggers = only("ScaledObject", namespace="fl", **EVERYTHING)["spec"]["triggers"]
    service = only("Service", namespace="fl", **EVERYTHING)["metadata"]["name"]
    for trigger, metrics in zip(triggers, (2, 1), strict=True):
        selected = re.findall(r"{([^}]*)}", trigger["metadata"]["query"])
        assert selected == [f'namespace="fl", service="{service}"'] * metrics
        assert trigger["metricType"] == "Value"


def test_the_adapter_serves_what_the_hpa_asks_for() -> None:
    """The guide's rule makes the external metric of the HorizontalPodAutoscaler."""
    metrics = only("HorizontalPodAutoscaler", **VARIANTS["hpa"])["spec"]["metrics"]
    rules = yaml.safe_load(code_block(GUIDE, "metricsQuery"))["rules"]["external"]
    for rule, metric in zip(rules, (metric["external"]["metric"] for metric in metrics), strict=True):
        assert rule["name"]["as"] == metric["name"]
        assert all(label in rule["seriesQuery"] for label in metric["selector"]["matchLabels"])


def test_rules_and_dashboard_are_the_repositorys() -> None:
    """The chart's copies are links to the files that Compose uses."""
    rule = only("PrometheusRule", prometheusRule={"enabled": True})
    assert rule["spec"] == yaml.safe_load((CHART.parents[1] / "prometheus" / "semsim.rules.yaml").read_text())
    config = only("ConfigMap", dashboard={"enabled": True})
    dashboard = json.loads((CHART.parents[1] / "grafana" / "semsim.json").read_text())
    assert json.loads(config["data"]["semsim.json"]) == dashboard


def test_the_guides_values_install() -> None:
    """The example of docs/deploy.md is taken, and makes every kind of object."""
    values = yaml.safe_load(code_block(GUIDE, "existingSecret"))
    assert lint(**values) == []
    assert {document["kind"] for document in render(**values)} >= {*CUSTOM, "Deployment", "NetworkPolicy", "Pod"}
    assert not ("replicaCount" in values and values["autoscaling"]["enabled"])


def test_the_chart_installs_this_version() -> None:
    """The default image tag is the project's version."""
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == semsim.__version__
