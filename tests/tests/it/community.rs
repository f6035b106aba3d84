//! An import, small: the same checks as the `acceptance` binary's, with a community that the test makes up.

use std::{fs, time::Duration};

use chrono::{Days, NaiveDate};
use feedmill_tests::{
    community::{Names, broken_lines, generate, import, model, wait_until_projected},
    compare::{Scope, every_read},
    harness::{Plan, World},
    log,
};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn an_import_leads_to_what_its_records_say() {
    let world = World::start(Plan::default()).await;
    let records = generate(2, 12, 1_200);
    let lines: Vec<_> = records
        .iter()
        .map(|record| serde_json::to_string(record).expect("JSON"))
        .collect();
    let file = world.folder.0.join("import.ndjson");
    // The first half, then all of it: what is there is left alone.
    for part in [lines.len() / 2, lines.len()] {
        fs::write(&file, lines[..part].join("\n") + "\n").expect("the file");
        let run = import(&world, &file).await;
        assert!(run.success, "{}", run.output);
    }
    wait_until_projected(&world, Duration::from_mins(1))
        .await
        .expect("all of it projected");

    let names = Names::read(&world.pool).await.expect("the names");
    let expected = model(&records, &names).expect("a model");
    let from_the_log = log::fold(&world.pool)
        .await
        .expect("a log that fits together");
    assert_eq!(
        from_the_log, expected,
        "the log says otherwise than the records"
    );
    log::check_state(&world.pool, &expected)
        .await
        .expect("the state of the records");

    let start = NaiveDate::from_ymd_opt(2020, 1, 5).expect("a day");
    let days: Vec<_> = (0..21).map(|day| start + Days::new(day)).collect();
    let viewers: Vec<Uuid> = expected.accounts.keys().copied().step_by(4).collect();
    let scope = Scope {
        viewers: &viewers,
        limits: &[1, 7, 100],
        days: &days,
        sample: usize::MAX,
    };
    every_read(&world, &world.client(), &expected, &scope)
        .await
        .unwrap_or_else(|error| panic!("{error}"));

    let heads = log::heads(&world.pool).await.expect("the heads");
    let again = import(&world, &file).await;
    assert!(again.success, "{}", again.output);
    assert_eq!(
        log::heads(&world.pool).await.expect("the heads"),
        heads,
        "the second run changed something"
    );
    broken_lines(&world, &world.folder.0)
        .await
        .unwrap_or_else(|error| panic!("{error}"));

    let (token, _) = world.write_api(&["token", "@person_3"]);
    assert!(token.status.success(), "{token:?}");
    let token = String::from_utf8(token.stdout).expect("a token");
    let me = world
        .client()
        .with_token(token.trim())
        .get("/v1/me")
        .await
        .expect(200);
    assert_eq!(me.json()["handle"], "person_3");
}
