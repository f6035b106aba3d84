//! What does not fit is refused with a problem document that names the field, and never with a 5xx.

mod fields;
mod queries;
mod requests;

use feedmill_tests::{
    client::Answer,
    harness::{Plan, World},
};

use crate::scene::{Scene, assert_problem, everything};

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_by_field() {
    let world = World::start(Plan::default()).await;
    let scene = Scene::set(&world).await;
    let alice = scene.client.with_token(&world.signer.token(scene.alice));
    let before = everything(&world).await;

    fields::do_not_fit(&scene, &alice).await;
    requests::bodies_do_not_fit(&scene, &alice).await;
    requests::headers_do_not_fit(&alice).await;
    queries::do_not_fit(&scene, &alice).await;

    assert_eq!(
        everything(&world).await,
        before,
        "something that was refused changed the state"
    );
}

#[track_caller]
fn assert_field(answer: &Answer, field: &str, context: &str) {
    assert_problem(answer, 422, context);
    let problem = answer.json();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let named = errors.iter().any(|error| {
        error["field"] == field
            && error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
    });
    assert!(named, "{context}: {field} is not named in {}", answer.body);
}
