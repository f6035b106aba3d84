//! Promises 1 and 2 under load: 64 clients, few accounts, two write-apis.

use std::sync::{Arc, Mutex};

use feedmill_tests::{
    client::{Answer, Client},
    compare::{Scope, every_read},
    harness::{Plan, World},
    log, token,
};
use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::json;
use uuid::Uuid;

const CLIENTS: usize = 64;
const COMMANDS: usize = 30;

/// What the clients make and then fight over.
#[derive(Default)]
struct Made {
    posts: Vec<Uuid>,
    conversations: Vec<Uuid>,
    /// With their conversations.
    messages: Vec<(Uuid, Uuid)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_dense_and_agrees_with_everything() {
    let world = World::start(Plan {
        write: 2,
        read: 2,
        ..Plan::default()
    })
    .await;
    let base = world.client();
    let mut accounts = Vec::new();
    for index in 0..5 {
        accounts.push(
            base.create_account(&format!("person_{index}"), "Somebody")
                .await
                .expect(201)
                .id(),
        );
    }
    let made = Arc::new(Mutex::new(Made::default()));
    let clients = (0..CLIENTS).map(|index| {
        let me = accounts[index % accounts.len()];
        let urls = &world.stack().write;
        let client = base
            .with_write(&urls[index % urls.len()])
            .with_token(&world.signer.token(me));
        tokio::spawn(one_client(
            client,
            index as u64,
            accounts.clone(),
            Arc::clone(&made),
        ))
    });
    for ended in join_all(clients.collect::<Vec<_>>()).await {
        ended.expect("a client that got its answers");
    }

    let events = log::check_dense(&world.pool).await.expect("a dense log");
    let model = log::fold(&world.pool)
        .await
        .expect("a log that fits together");
    log::check_state(&world.pool, &model)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    {
        let made = made.lock().expect("the end of all clients");
        let kept = |post: &Uuid| model.posts.contains_key(post) || model.deleted.contains(post);
        assert!(
            made.posts.iter().all(kept),
            "an acknowledged post is not in the log"
        );
        let kept = |(talk, message): &(Uuid, Uuid)| {
            model.conversations[talk].messages.contains_key(message)
        };
        assert!(
            made.messages.iter().all(kept),
            "an acknowledged message is not in the log"
        );
    }
    base.wait_for(&log::heads(&world.pool).await.expect("the heads"));
    let today = token::now().date_naive();
    let scope = Scope {
        viewers: &accounts[..3],
        limits: &[9, 50],
        days: &[today],
        sample: usize::MAX,
    };
    let reads = every_read(&world, &base, &model, &scope)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{events} events, {reads} reads");
}

async fn one_client(client: Client, seed: u64, accounts: Vec<Uuid>, made: Arc<Mutex<Made>>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let pick = |rng: &mut StdRng, what: fn(&Made) -> &[Uuid]| {
        what(&made.lock().expect("no client panicked"))
            .choose(rng)
            .copied()
    };
    for index in 0..COMMANDS {
        let somebody = *accounts.choose(&mut rng).expect("accounts");
        let post = pick(&mut rng, |made| &made.posts);
        let talk = pick(&mut rng, |made| &made.conversations);
        let yes = rng.gen_bool(0.6);
        let answer = match (rng.gen_range(0..14), post, talk) {
            (0, ..) => {
                client
                    .change_profile(json!({"handle": format!("name_{}", rng.gen_range(0..6))}))
                    .await
            }
            (1, ..) => {
                client
                    .change_profile(json!({"bio": format!("{seed} {index}")}))
                    .await
            }
            (2 | 3, ..) => client.follow(somebody, yes).await,
            (4, Some(post), _) => client.delete_post(post).await,
            (5..=7, Some(post), _) => client.like(post, yes).await,
            (8, Some(post), _) => noted(&made, client.post("A reply", Some(post)).await),
            (9, ..) => {
                let answer = client.create_conversation(&[somebody], None).await;
                if answer.status.is_success() {
                    made.lock()
                        .expect("no client panicked")
                        .conversations
                        .push(answer.id());
                }
                answer
            }
            (10 | 11, _, Some(talk)) => {
                let answer = client.send_message(talk, "A message").await;
                if answer.status == 201 {
                    made.lock()
                        .expect("no client panicked")
                        .messages
                        .push((talk, answer.id()));
                }
                answer
            }
            (12, ..) => {
                let message = made
                    .lock()
                    .expect("no client panicked")
                    .messages
                    .choose(&mut rng)
                    .copied();
                let Some((talk, message)) = message else {
                    continue;
                };
                client.mark_read(talk, message).await
            }
            _ => noted(&made, client.post("A post", None).await),
        };
        let refused = [403, 404, 409, 422].contains(&answer.status.as_u16());
        assert!(answer.status.is_success() || refused, "{answer:?}");
    }
}

fn noted(made: &Mutex<Made>, answer: Answer) -> Answer {
    if answer.status == 201 {
        made.lock()
            .expect("no client panicked")
            .posts
            .push(answer.id());
    }
    answer
}
