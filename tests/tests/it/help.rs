//! `--help` of every program and subcommand.

use feedmill_tests::kit;

fn help(program: &str, subcommand: &[&str], environment: &[(String, String)]) -> String {
    let arguments = [subcommand, &["--help"]].concat();
    let output = kit::run(&kit::service(program), &arguments, environment);
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn help_prints_no_value_of_the_environment() {
    let programs: [(&str, &[&[&str]]); 3] = [
        ("write-api", &[&[], &["import"], &["token"], &["serve"]]),
        ("read-api", &[&[], &["health"]]),
        (
            "projector",
            &[
                &[],
                &["rebuild"],
                &["status"],
                &["run"],
                &["audit"],
                &["cache", "clear"],
                &["events", "show"],
            ],
        ),
    ];
    for (program, subcommands) in programs {
        for subcommand in subcommands {
            let plain = help(program, subcommand, &[]);
            let names = plain.split("[env: ").skip(1).map(|rest| {
                let end = rest.find([']', '=']).expect("the end of a name");
                rest[..end].to_owned()
            });
            let names: Vec<String> = names.collect();
            assert!(!subcommand.is_empty() || names.len() > 10, "{plain}");
            let environment: Vec<_> = names
                .into_iter()
                .map(|name| (name, "hush-hush".to_owned()))
                .collect();
            let shown = help(program, subcommand, &environment);
            assert!(
                !shown.contains("hush-hush"),
                "{program} {subcommand:?}:\n{shown}"
            );
        }
    }
}
