//! `deploy/kubernetes/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::LazyLock,
};

use feedmill_events::Projection;
use feedmill_tests::kit::{self, TempFolder};
use serde_json::{Value, json};

use super::{SERVICES, assert_settings, deploy, settings_of, stop_time, text_of, tool, yaml};

const KUSTOMIZATIONS: [&str; 3] = ["base", "overlays/production", "overlays/per-projection"];

/// Kinds of other projects, whose schemas kubernetes-validate does not have.
const OTHER_KINDS: [&str; 3] = ["HTTPRoute", "PodMonitor", "ScaledObject"];

/// The resources of a kustomization, which are valid.
fn resources(kustomization: &str) -> &'static [Value] {
    static RENDERED: LazyLock<BTreeMap<&str, Vec<Value>>> =
        LazyLock::new(|| KUSTOMIZATIONS.map(|it| (it, render(it))).into());
    &RENDERED[kustomization]
}

fn render(kustomization: &str) -> Vec<Value> {
    let folder = deploy("kubernetes").join(kustomization);
    let rendered = tool("kubectl", &["kustomize", &folder.display().to_string()]);
    let warnings = String::from_utf8_lossy(&rendered.stderr).into_owned();
    assert!(rendered.status.success(), "{kustomization}: {warnings}");
    assert_eq!(warnings, "", "{kustomization}");
    let temporary = TempFolder::new();
    let file = temporary.path().join("resources.yaml");
    fs::write(&file, rendered.stdout).expect("a file");
    assert_valid(&file.display().to_string());
    yaml(&file)
}

fn assert_valid(file: &str) {
    let output = tool("kubernetes-validate", &["--strict", "--quiet", file]);
    let text = text_of(&output);
    assert!(output.status.success(), "{text}");
    for line in text.lines() {
        let is_known = OTHER_KINDS
            .iter()
            .any(|kind| line.contains(&format!("kind {kind} ")));
        assert!(is_known, "{line}");
    }
}

fn of_kind<'a>(resources: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    resources.iter().filter(move |it| it["kind"] == kind)
}

fn name(resource: &Value) -> &str {
    resource["metadata"]["name"].as_str().expect("a name")
}

/// The specifications of pods, with the labels of the pods.
fn pods(resources: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    let owners = of_kind(resources, "Deployment").chain(of_kind(resources, "Job"));
    owners.map(|it| {
        let template = &it["spec"]["template"];
        (&template["spec"], &template["metadata"]["labels"])
    })
}

/// The service whose image a pod runs.
fn service(pod: &Value) -> &str {
    let image = pod["containers"][0]["image"].as_str().expect("an image");
    let image = image.rsplit('/').next().expect("a name");
    image.split(':').next().expect("a name")
}

/// Whether a selector of labels, without expressions, selects these labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let pairs = selector.as_object().expect("a selector");
    pairs.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn every_pod_is_restricted_probed_and_has_time_to_stop() {
    for kustomization in KUSTOMIZATIONS {
        let resources = resources(kustomization);
        for (pod, _) in pods(resources) {
            let (service, container) = (service(pod), &pod["containers"][0]);
            assert!(SERVICES.contains(&service), "{service}");
            assert_eq!(pod["automountServiceAccountToken"], false);
            assert_eq!(pod["enableServiceLinks"], false);
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(
                pod["securityContext"]["seccompProfile"]["type"],
                "RuntimeDefault"
            );
            let restricted = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(container["securityContext"], restricted);
            let requests = &container["resources"]["requests"];
            assert!(requests["cpu"].is_string() && requests["memory"].is_string());
            assert!(container["resources"]["limits"]["memory"].is_string());
        }
        for deployment in of_kind(resources, "Deployment") {
            let pod = &deployment["spec"]["template"]["spec"];
            let grace = pod["terminationGracePeriodSeconds"]
                .as_u64()
                .expect("a time");
            assert!(grace > stop_time(service(pod)).as_secs() + 5, "{grace} s");
            let container = &pod["containers"][0];
            for (probe, path) in [
                ("startupProbe", "/health/live"),
                ("livenessProbe", "/health/live"),
                ("readinessProbe", "/health/ready"),
            ] {
                assert_eq!(
                    container[probe]["httpGet"],
                    json!({"path": path, "port": "admin"})
                );
            }
            assert!(
                container["lifecycle"].is_null(),
                "the service drains by itself"
            );
            let strategy = &deployment["spec"]["strategy"]["rollingUpdate"];
            assert_eq!(*strategy, json!({"maxSurge": 1, "maxUnavailable": 0}));
        }
    }
}

#[test]
fn the_ports_are_those_of_the_images() {
    let containerfile = fs::read_to_string(deploy("Containerfile")).expect("the Containerfile");
    for (pod, _) in pods(resources("base")) {
        let ports = pod["containers"][0]["ports"]
            .as_array()
            .into_iter()
            .flatten();
        for port in ports.map(|it| &it["containerPort"]) {
            let line = containerfile
                .lines()
                .find(|line| line.starts_with("EXPOSE ") && line.contains(&format!(" {port}")));
            assert!(line.is_some(), "{port} of {}", service(pod));
        }
    }
}

#[test]
fn every_setting_exists_and_every_secret_is_one_of_the_example() {
    let temporary = TempFolder::new();
    let file = temporary.path().join("secrets.yaml");
    let script = deploy("kubernetes/examples/secrets");
    fs::write(&file, kit::run(&script, &[], &[]).stdout).expect("a file");
    assert_valid(&file.display().to_string());
    let secrets = yaml(&file);
    let has = |name_of: &Value, key: &Value| {
        secrets.iter().any(|secret| {
            secret["metadata"]["name"] == *name_of
                && secret["stringData"][key.as_str().expect("a key")].is_string()
        })
    };
    let everywhere: BTreeSet<String> = SERVICES
        .iter()
        .flat_map(|it| settings_of(it).into_keys())
        .collect();
    for kustomization in KUSTOMIZATIONS {
        let resources = resources(kustomization);
        for (pod, _) in pods(resources) {
            let variables = pod["containers"][0]["env"].as_array().expect("settings");
            let names = variables
                .iter()
                .map(|it| it["name"].as_str().expect("a name"));
            assert_settings(service(pod), names);
            for variable in variables {
                let secret = &variable["valueFrom"]["secretKeyRef"];
                let given = variable["value"].is_string() || has(&secret["name"], &secret["key"]);
                assert!(given, "{variable}");
            }
        }
        let settings: Vec<_> = of_kind(resources, "ConfigMap").collect();
        assert_eq!(settings.len(), 1);
        for setting in settings[0]["data"].as_object().expect("settings").keys() {
            assert!(everywhere.contains(setting), "{setting}");
        }
        for (pod, _) in pods(resources) {
            let source = json!([{"configMapRef": {"name": name(settings[0])}}]);
            assert_eq!(pod["containers"][0]["envFrom"], source);
        }
    }
    // The examples name secrets of the example, too.
    for example in ["nats.yaml", "postgres.yaml"] {
        let text = fs::read_to_string(deploy("kubernetes/examples").join(example)).expect(example);
        let names = text.split("name: feedmill-").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            format!("feedmill-{}", &rest[..end.unwrap_or(rest.len())])
        });
        for secret in names.filter(|it| it != "feedmill-postgres") {
            assert!(
                secrets.iter().any(|it| name(it) == secret),
                "{example}: {secret}"
            );
        }
    }
}

#[test]
fn services_budgets_and_policies_select_pods() {
    for kustomization in KUSTOMIZATIONS {
        let resources = resources(kustomization);
        let all: Vec<_> = pods(resources).collect();
        for it in of_kind(resources, "Service") {
            let selected = all
                .iter()
                .filter(|(_, labels)| selects(&it["spec"]["selector"], labels));
            let selected: Vec<_> = selected.collect();
            assert_eq!(selected.len(), 1, "{}", name(it));
            for port in it["spec"]["ports"].as_array().expect("ports") {
                let ports = selected[0].0["containers"][0]["ports"]
                    .as_array()
                    .expect("ports");
                let target = ports.iter().find(|it| it["name"] == port["targetPort"]);
                assert_eq!(target.expect("a port")["containerPort"], port["port"]);
            }
        }
        for deployment in of_kind(resources, "Deployment") {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            let budgets = of_kind(resources, "PodDisruptionBudget")
                .filter(|it| selects(&it["spec"]["selector"]["matchLabels"], labels));
            assert_eq!(budgets.count(), 1, "{}", name(deployment));
            let own = of_kind(resources, "Deployment")
                .filter(|it| selects(&it["spec"]["selector"]["matchLabels"], labels));
            assert_eq!(own.count(), 1, "{} shares its pods", name(deployment));
        }
        // One for all pods denies what no other allows.
        let of_all = of_kind(resources, "NetworkPolicy").find(|it| name(it) == "feedmill");
        let selector = &of_all.expect("a policy")["spec"]["podSelector"]["matchLabels"];
        assert!(all.iter().all(|(_, labels)| selects(selector, labels)));
        for policy in of_kind(resources, "NetworkPolicy") {
            let selector = &policy["spec"]["podSelector"];
            let selector = selector["matchLabels"].as_object().map(|it| json!(it));
            let selected =
                selector.is_none_or(|it| all.iter().any(|(_, labels)| selects(&it, labels)));
            assert!(selected, "{}", name(policy));
        }
    }
}

/// `docs/operations.md` applies what has no name of a service first: the migrations, and what they need.
#[test]
fn only_a_service_and_what_it_has_carry_its_name() {
    for resource in KUSTOMIZATIONS.iter().flat_map(|it| resources(it)) {
        let kind = resource["kind"].as_str().expect("a kind");
        let is_of_service = ["Deployment", "Service", "PodDisruptionBudget"].contains(&kind);
        let label = resource["metadata"]["labels"]["app.kubernetes.io/name"].as_str();
        let has_name = label.is_some_and(|it| SERVICES.contains(&it));
        assert_eq!(is_of_service, has_name, "{resource}");
    }
}

#[test]
fn every_projection_has_projectors() {
    let resources = resources("overlays/per-projection");
    let arguments: BTreeSet<String> = pods(resources)
        .filter(|(pod, _)| service(pod) == "projector")
        .map(|(pod, _)| pod["containers"][0]["args"].to_string())
        .collect();
    let all = Projection::ALL.map(|it| json!(["--only", it.name()]).to_string());
    assert_eq!(arguments, all.into_iter().collect());
}

#[test]
fn projectors_are_scaled_by_a_metric_that_they_have() {
    let resources = resources("overlays/production");
    let scaled = of_kind(resources, "ScaledObject").next().expect("KEDA");
    let target = &scaled["spec"]["scaleTargetRef"]["name"];
    let deployment = of_kind(resources, "Deployment").find(|it| it["metadata"]["name"] == *target);
    assert!(deployment.expect("its target")["spec"]["replicas"].is_null());
    let query = scaled["spec"]["triggers"][0]["metadata"]["query"]
        .as_str()
        .expect("a query");
    assert!(query.starts_with("max(projector_lag_seconds{"), "{query}");
    let metrics = fs::read_to_string(deploy("../docs/metrics.md")).expect("the metrics");
    assert!(metrics.contains("`projector_lag_seconds` {projection}"));

    // A gateway sends each request to the service that answers it.
    let route = of_kind(resources, "HTTPRoute").next().expect("a route");
    let services: BTreeSet<_> = of_kind(resources, "Service").map(name).collect();
    for rule in route["spec"]["rules"].as_array().expect("rules") {
        let backend = &rule["backendRefs"][0];
        assert!(services.contains(backend["name"].as_str().expect("a service")));
    }
}
