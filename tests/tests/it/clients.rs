//! The clients in `clients/`: generated from `docs/openapi.json`, type-checked, and run against a stack.

mod project;
mod server;

use feedmill_tests::kit::setting;

use project::{Project, tools};
use server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn typescript() {
    let server = Server::start().await;
    let project = Project::copy("typescript");
    let modules = tools().join("typescript/node_modules");
    project.link("node_modules", &modules);
    project.write(
        "test/readme.ts",
        &server.with_addresses(&project.code_blocks("ts")),
    );

    let node = |arguments: &[&str]| project.command("node", arguments);
    let generator = "node_modules/openapi-typescript/bin/cli.js";
    let document = Project::document();
    let mut generate = vec![generator, document.as_str(), "-o", "src/schema.ts"];
    generate.extend(["--root-types", "--root-types-no-schema-prefix"]);
    server.run(node(&generate)).await;
    for folder in [".", "test"] {
        let compile = ["node_modules/typescript/bin/tsc", "-p", folder];
        server.run(node(&compile)).await;
    }
    server.run(node(&["dist-test/readme.js"])).await;
    server.run(node(&["dist-test/main.js"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python() {
    let server = Server::start().await;
    let project = Project::copy("python");
    let programs = tools().join("python/bin");
    project.write(
        "test/readme.py",
        &server.with_addresses(&project.code_blocks("python")),
    );

    let document = Project::document();
    let generate = [
        "generate",
        "--path",
        &document,
        "--fail-on-warning",
        "--meta",
        "none",
        "--output-path",
        "feedmill_api",
    ];
    let mut generator = project.command(programs.join("openapi-python-client"), &generate);
    // It runs ruff to format what it has generated.
    let path = [
        programs.display().to_string(),
        setting("PATH").unwrap_or_default(),
    ];
    generator.env("PATH", path.join(":"));
    server.run(generator).await;
    let types = project.command(programs.join("mypy"), &["feedmill", "test"]);
    server.run(types).await;
    for script in ["test/readme.py", "test/main.py"] {
        let mut python = project.command(programs.join("python"), &[script]);
        python.env("PYTHONPATH", project.path());
        server.run(python).await;
    }
}
