//! Illegal input is refused with a problem document that names the field, and never with a 5xx.

mod bodies;
mod fields;
mod headers;
mod queries;

use feedmill_tests::kit::{Stack, StackConfig};

use crate::scene::{Scene, state};

#[tokio::test(flavor = "multi_thread")]
async fn illegal_input_is_refused_by_field() {
    let stack = Stack::start(StackConfig::default()).await;
    let scene = Scene::create(&stack).await;
    let alice = scene.alice(&stack);
    let before = state(&stack).await;

    fields::are_checked(&scene, &alice).await;
    bodies::are_checked(&scene, &alice).await;
    headers::are_checked(&alice, &scene.bob(&stack)).await;
    queries::are_checked(&scene, &alice).await;

    assert_eq!(
        state(&stack).await,
        before,
        "a request that was refused changed the state"
    );
}
