//! The clients in `clients/`: generated from `docs/openapi.json`, type-checked, and run against a stack.

mod project;
mod server;

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
