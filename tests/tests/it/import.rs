//! A small import: the checks of the `acceptance` binary, with a generated community.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use feedmill_events::Projection;
use feedmill_tests::{
    compare::{Scope, every_read},
    import::{Names, Record, broken_lines, generate, import, import_lines, oracle},
    kit::{Stack, StackConfig, TempFolder},
    log,
    oracle::tables,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn reads_after_an_import_equal_their_definitions() {
    let stack = Stack::start(StackConfig::default()).await;
    let records = generate(2, 12, 1_200);
    // The first half, then everything: imported records are left alone.
    for part in [records.len() / 2, records.len()] {
        import_lines(&stack, records[..part].iter().map(Record::line)).await;
    }
    log::wait_until_projected(&stack.pool, Duration::from_mins(1))
        .await
        .expect("everything projected");

    let names = Names::read(&stack.pool).await.expect("the names");
    let expected = oracle(&records, &names).expect("the oracle");
    let from_the_log = log::fold(&stack.pool).await.expect("a legal log");
    assert_eq!(from_the_log, expected, "the log differs from the records");
    log::check_state(&stack.pool, &expected)
        .await
        .expect("the state of the records");
    for projection in Projection::ALL {
        let options: PgConnectOptions = stack.environment[0].1.parse().expect("the owner's URL");
        let options = options.options([("search_path", projection.name())]);
        let pool = PgPoolOptions::new().max_connections(1);
        tables::assert_equal(&expected, projection, &pool.connect_lazy_with(options)).await;
    }

    let start = NaiveDate::from_ymd_opt(2020, 1, 5).expect("a day");
    let days: Vec<_> = (0..21).map(|day| start + Days::new(day)).collect();
    let viewers: Vec<Uuid> = expected.accounts.keys().copied().step_by(4).collect();
    let scope = Scope {
        viewers: &viewers,
        limits: &[1, 7, 100],
        days: &days,
        sample: usize::MAX,
    };
    every_read(&stack, &stack.client(), &expected, &scope)
        .await
        .unwrap_or_else(|error| panic!("{error}"));

    let heads = log::heads(&stack.pool).await.expect("the heads");
    let again = import(&stack, &stack.file("import.ndjson")).await;
    assert!(again.success, "{}", again.output);
    assert_eq!(
        log::heads(&stack.pool).await.expect("the heads"),
        heads,
        "the second run changed something"
    );
    broken_lines(&stack, TempFolder::new().path())
        .await
        .unwrap_or_else(|error| panic!("{error}"));

    let token = stack.run("write-api", &["token", "@person_3"]);
    assert!(token.status.success(), "{token:?}");
    let token = String::from_utf8(token.stdout).expect("a token");
    let me = stack
        .client()
        .with_token(token.trim())
        .get("/v1/me")
        .await
        .expect(200);
    assert_eq!(me.json()["handle"], "person_3");
}
