//! Many clients of few accounts, at two instances of write-api: the log stays dense and loses nothing.

use std::sync::{Arc, Mutex};

use feedmill_tests::{
    client::{Answer, Client},
    compare::{Scope, every_read},
    kit::{Stack, StackConfig},
    link::LinkKind,
    log, token,
};
use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::json;
use uuid::Uuid;

const CLIENTS: usize = 64;
const COMMANDS: usize = 30;

/// What the clients have created and all act on.
#[derive(Default)]
struct Created {
    posts: Vec<Uuid>,
    conversations: Vec<Uuid>,
    /// With their conversations.
    messages: Vec<(Uuid, Uuid)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_dense_and_equals_every_table() {
    let stack = Stack::start(StackConfig {
        write: 2,
        read: 2,
        ..StackConfig::default()
    })
    .await;
    let base = stack.client();
    let mut accounts = Vec::new();
    for index in 0..5 {
        accounts.push(
            base.create_account(&format!("person_{index}"), "Someone")
                .await
                .expect(201)
                .id(),
        );
    }
    let created = Arc::new(Mutex::new(Created::default()));
    let clients = (0..CLIENTS).map(|index| {
        let me = accounts[index % accounts.len()];
        let urls = &stack.target.write;
        let client = base
            .with_write(&urls[index % urls.len()])
            .with_token(&stack.signer.token(me));
        tokio::spawn(one_client(
            client,
            index as u64,
            accounts.clone(),
            Arc::clone(&created),
        ))
    });
    for ended in join_all(clients.collect::<Vec<_>>()).await {
        ended.expect("a client with all its answers");
    }

    let events = log::check_dense(&stack.pool).await.expect("a dense log");
    let oracle = log::fold(&stack.pool).await.expect("a legal log");
    log::check_state(&stack.pool, &oracle)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    {
        let created = created.lock().expect("no client panicked");
        let logged =
            |post: &Uuid| oracle.posts.contains_key(post) || oracle.deleted.contains_key(post);
        assert!(
            created.posts.iter().all(logged),
            "an acknowledged post is not in the log"
        );
        let logged = |(conversation, message): &(Uuid, Uuid)| {
            oracle.conversations[conversation]
                .messages
                .contains_key(message)
        };
        assert!(
            created.messages.iter().all(logged),
            "an acknowledged message is not in the log"
        );
    }
    base.wait_for(&log::heads(&stack.pool).await.expect("the heads"));
    let today = token::now().date_naive();
    let scope = Scope {
        viewers: &accounts[..3],
        limits: &[9, 50],
        days: &[today],
        sample: usize::MAX,
    };
    let reads = every_read(&stack, &base, &oracle, &scope)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{events} events, {reads} reads");
}

async fn one_client(client: Client, seed: u64, accounts: Vec<Uuid>, created: Arc<Mutex<Created>>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let pick = |rng: &mut StdRng, what: fn(&Created) -> &[Uuid]| {
        what(&created.lock().expect("no client panicked"))
            .choose(rng)
            .copied()
    };
    for index in 0..COMMANDS {
        let other = *accounts.choose(&mut rng).expect("accounts");
        let post = pick(&mut rng, |created| &created.posts);
        let conversation = pick(&mut rng, |created| &created.conversations);
        let make = rng.gen_bool(0.6);
        let answer = match (rng.gen_range(0..14), post, conversation) {
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
            (2 | 3, ..) => client.link(LinkKind::Follow, other, make).await,
            (4, Some(post), _) => client.delete_post(post).await,
            (5..=7, Some(post), _) => client.link(LinkKind::Like, post, make).await,
            (8, Some(post), _) => note(&created, client.post("A reply", Some(post)).await),
            (9, ..) => {
                let answer = client.create_conversation(&[other], None).await;
                if answer.status.is_success() {
                    created
                        .lock()
                        .expect("no client panicked")
                        .conversations
                        .push(answer.id());
                }
                answer
            }
            (10 | 11, _, Some(conversation)) => {
                let answer = client.send_message(conversation, "A message").await;
                if answer.status == 201 {
                    created
                        .lock()
                        .expect("no client panicked")
                        .messages
                        .push((conversation, answer.id()));
                }
                answer
            }
            (12, ..) => {
                let message = created
                    .lock()
                    .expect("no client panicked")
                    .messages
                    .choose(&mut rng)
                    .copied();
                let Some((conversation, message)) = message else {
                    continue;
                };
                client.mark_read(conversation, message).await
            }
            _ => note(&created, client.post("A post", None).await),
        };
        let refused = [403, 404, 409, 422].contains(&answer.status.as_u16());
        assert!(answer.status.is_success() || refused, "{answer:?}");
    }
}

fn note(created: &Mutex<Created>, answer: Answer) -> Answer {
    if answer.status == 201 {
        created
            .lock()
            .expect("no client panicked")
            .posts
            .push(answer.id());
    }
    answer
}
