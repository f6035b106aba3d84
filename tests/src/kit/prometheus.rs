//! A Prometheus server, and promtool.

use std::{fmt::Write as _, fs, path::Path, process::Output};

use serde_json::Value;

use super::{Process, Stack, TempFolder, process, settings, unused_port};

/// The folder of alerts and dashboards.
const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/monitoring");

/// Runs promtool in the folder of alerts and dashboards.
pub fn promtool(arguments: &[&str]) -> Output {
    let (_, program) = settings::prometheus();
    let program = program.display().to_string();
    let arguments = [&["-C", MONITORING, &program], arguments].concat();
    process::run(Path::new("env"), &arguments, &[])
}

/// Scrapes the services of a stack once a second.
pub struct Prometheus {
    pub process: Process,
    url: String,
    _folder: TempFolder,
}

impl Prometheus {
    /// Waits until it is ready. `rules` is the text of a file of rules.
    pub async fn start(stack: &Stack, rules: &str) -> Self {
        let folder = TempFolder::new();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("rules.yml"), rules).expect("the rules");
        fs::write(file("prometheus.yml"), config(stack)).expect("the configuration");
        let (program, _) = settings::prometheus();
        let address = format!("127.0.0.1:{}", unused_port());
        let url = format!("http://{address}");
        let mut process = Process::new("prometheus", &program, folder.path())
            .arguments(&[
                &format!("--config.file={}", file("prometheus.yml").display()),
                &format!("--storage.tsdb.path={}", file("data").display()),
                &format!("--web.listen-address={address}"),
            ])
            .health(format!("{url}/-/ready"));
        process.launch();
        process.ready().await;
        Self {
            process,
            url,
            _folder: folder,
        }
    }

    /// The values of an expression now. Errors: what Prometheus says about it.
    pub async fn query(&self, expression: &str) -> Result<Vec<f64>, String> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", expression)
            .finish();
        let url = format!("{}/api/v1/query?{query}", self.url);
        let request = crate::client::http().get(url);
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        let results = answer["data"]["result"].as_array().into_iter().flatten();
        let values = results.filter_map(|it| it["value"][1].as_str()?.parse().ok());
        Ok(values.collect())
    }

    /// The names of the alerts that fire.
    pub async fn firing(&self) -> Vec<String> {
        let url = format!("{}/api/v1/alerts", self.url);
        let answer = crate::client::http()
            .get(url)
            .send()
            .await
            .expect("the alerts");
        let answer: Value = answer.json().await.expect("JSON");
        let alerts = answer["data"]["alerts"].as_array().into_iter().flatten();
        let firing = alerts.filter(|it| it["state"] == "firing");
        let names = firing.filter_map(|it| it["labels"]["alertname"].as_str());
        names.map(str::to_owned).collect()
    }
}

fn config(stack: &Stack) -> String {
    let mut text =
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}\n\
         rule_files: [rules.yml]\nscrape_configs:\n"
            .to_owned();
    for (job, processes) in [
        ("write-api", &stack.write),
        ("projector", &stack.projectors),
        ("read-api", &stack.read),
    ] {
        let targets: Vec<String> = processes
            .iter()
            .map(|process| {
                let url = process.operators_url("");
                format!("\"{}\"", url.trim_start_matches("http://"))
            })
            .collect();
        let targets = targets.join(", ");
        writeln!(
            text,
            "  - {{job_name: {job}, static_configs: [{{targets: [{targets}]}}]}}"
        )
        .expect("text");
    }
    text
}
