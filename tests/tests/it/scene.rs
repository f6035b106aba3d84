//! A few accounts with posts, conversations and relations, and requests about them, filled in from the table of endpoints.

use feedmill_tests::{
    client::{Answer, Client},
    endpoints::{self, Endpoint},
    kit::Target,
    link::LinkKind,
};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

/// Alice and Bob have a conversation and, with Dave, a group without Carol. Bob follows Alice. Every list has two items for Alice.
pub struct Scene {
    pub alice: Uuid,
    pub bob: Uuid,
    pub carol: Uuid,
    pub dave: Uuid,
    /// By Alice.
    pub post: Uuid,
    /// By Bob, to that post.
    pub reply: Uuid,
    /// By Alice, to that reply.
    pub answer: Uuid,
    /// Of Alice and Bob.
    pub conversation: Uuid,
    /// Of Alice, Bob and Dave.
    pub group: Uuid,
    /// By Bob, in that conversation.
    pub message: Uuid,
    /// By Alice, in that conversation.
    pub own_message: Uuid,
    /// Of Alice; her tokens here do not belong to it.
    pub session: Uuid,
    /// Connected with Alice, and a member of two tags of hers.
    pub dan: Uuid,
    /// Of Alice, with two members.
    pub tag: Uuid,
    /// Without a token; knows the positions of all commands so far.
    pub client: Client,
}

/// A request for one endpoint.
#[derive(Debug, Clone)]
pub struct Request {
    pub endpoint: &'static Endpoint,
    pub path: String,
    pub body: Option<Value>,
}

impl Request {
    pub fn method(&self) -> Method {
        self.endpoint.method.parse().expect("a method")
    }

    pub async fn send(&self, client: &Client) -> Answer {
        if self.endpoint.is_read() {
            return client.get(&self.path).await;
        }
        client
            .command(self.method(), &self.path, self.body.clone())
            .await
    }
}

impl Scene {
    pub async fn create(target: &Target) -> Self {
        let client = target.client();
        let create_account = async |handle: &str| {
            let answer = client.create_account(handle, &handle.to_uppercase()).await;
            answer.expect(201).id()
        };
        let [alice, bob, carol, dave] = [
            create_account("alice").await,
            create_account("bob").await,
            create_account("carol").await,
            create_account("dave").await,
        ];
        let of = |account| client.with_token(&target.signer.token(account));
        let (a, b, c) = (of(alice), of(bob), of(carol));
        let post = a.post("A post", None).await.expect(201).id();
        let reply = b.post("A reply", Some(post)).await.expect(201).id();
        let answer = a.post("An answer", Some(reply)).await.expect(201).id();
        b.follow(alice).await.expect(204);
        b.like(post).await.expect(204);
        let pair = a.create_conversation(&[bob], None).await;
        let conversation = pair.expect(201).id();
        let message = b.send_message(conversation, "A message").await;
        let message = message.expect(201).id();
        // The second item of every list.
        let another = a.post("Another post", None).await.expect(201).id();
        for post in [post, another] {
            let bookmark = a.link(LinkKind::Bookmark, post, true).await;
            bookmark.expect(204);
            a.like(post).await.expect(204);
        }
        b.post("Another reply", Some(post)).await.expect(201);
        let own_message = a.send_message(conversation, "Another message").await;
        let own_message = own_message.expect(201).id();
        a.create_conversation(&[bob, carol], Some("All"))
            .await
            .expect(201);
        let group = a.create_conversation(&[bob, dave], Some("Some")).await;
        let group = group.expect(201).id();
        c.follow(alice).await.expect(204);
        b.follow(carol).await.expect(204);
        let mut others = Vec::new();
        // Two whom Alice mutes and is connected with, two who have asked her, and two whom she has asked.
        for (index, handle) in ["dan", "erin", "frank", "grace", "heidi", "ivan"]
            .iter()
            .enumerate()
        {
            let other = create_account(handle).await;
            others.push(other);
            if index < 4 {
                of(other).connection(alice, true).await.expect(200);
            }
            if index < 2 {
                a.link(LinkKind::Mute, other, true).await.expect(204);
            }
            if !(2..4).contains(&index) {
                a.connection(other, true).await.expect(200);
            }
        }
        for handle in ["judy", "mallory"] {
            let other = create_account(handle).await;
            a.block(other, true).await.expect(204);
        }
        let tag = a.create_tag("family").await.expect(201).id();
        let work = a.create_tag("work").await.expect(201).id();
        for (tag, member) in [(tag, others[0]), (tag, others[1]), (work, others[0])] {
            a.tag_member(tag, member, true).await.expect(204);
        }
        client.sign_in("alice").await.expect(201);
        let sessions = a.command(Method::GET, "/v1/sessions", None).await;
        let sessions = sessions.expect(200).json();
        let session = sessions["items"][0]["id"].as_str();
        let session = session.and_then(|id| id.parse().ok()).expect("a session");
        Self {
            alice,
            bob,
            carol,
            dave,
            post,
            reply,
            answer,
            conversation,
            group,
            message,
            own_message,
            session,
            dan: others[0],
            tag,
            client,
        }
    }

    /// A client of Alice.
    pub fn alice(&self, target: &Target) -> Client {
        self.client.with_token(&target.signer.token(self.alice))
    }

    /// A client of Bob.
    pub fn bob(&self, target: &Target) -> Client {
        self.client.with_token(&target.signer.token(self.bob))
    }

    /// The ids that placeholders stand for. `{author}` is Alice, whose posts and followers are listed; `{user}` is
    /// Bob, whom she may follow.
    pub fn placeholders(&self) -> [(&'static str, Uuid); 13] {
        [
            ("{author}", self.alice),
            ("{user}", self.bob),
            ("{carol}", self.carol),
            ("{dave}", self.dave),
            ("{post}", self.post),
            ("{answer}", self.answer),
            ("{conversation}", self.conversation),
            ("{group}", self.group),
            ("{message}", self.message),
            ("{own_message}", self.own_message),
            ("{session}", self.session),
            ("{dan}", self.dan),
            ("{tag}", self.tag),
        ]
    }

    fn fill(&self, template: &str) -> String {
        let ids = self.placeholders().into_iter();
        let fill = |text: String, (name, id): (&str, Uuid)| text.replace(name, &id.to_string());
        ids.fold(template.to_owned(), fill)
    }

    /// A request for this endpoint, with the first of its query strings, that is legal for Alice.
    pub fn request(&self, endpoint: &'static Endpoint) -> Request {
        let json = |legal| serde_json::from_str(&self.fill(legal)).expect("JSON");
        Request {
            endpoint,
            path: self.fill(&endpoint.first_path()),
            body: endpoint.body.map(|body| json(body.legal)),
        }
    }

    /// A request for every command that needs a token. Alice can send them in this order.
    pub fn commands(&self) -> Vec<Request> {
        endpoints::commands()
            .map(|endpoint| self.request(endpoint))
            .collect()
    }

    /// A request for every read, with each of its query strings.
    pub fn reads(&self) -> Vec<Request> {
        let requests = endpoints::reads().flat_map(|endpoint| {
            let request = self.request(endpoint);
            endpoint.paths().map(move |path| Request {
                path: self.fill(&path),
                ..request.clone()
            })
        });
        requests.collect()
    }

    /// The path of every list, with each of its query strings.
    pub fn lists(&self) -> Vec<String> {
        endpoints::lists()
            .flat_map(Endpoint::paths)
            .map(|path| self.fill(&path))
            .collect()
    }
}

/// The path with more of a query.
pub fn with_query(path: &str, query: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{query}")
}

/// A hash of every table that a command may change.
pub async fn state(target: &Target) -> Vec<(String, i64)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = 'write' AND table_name NOT LIKE '\\_%' ORDER BY 1",
    )
    .fetch_all(&target.pool)
    .await
    .expect("the tables");
    let mut hashes = Vec::new();
    for table in tables {
        let sql = format!(
            "SELECT coalesce(sum(hashtextextended(t::text, 0) % 1000000007), 0)::bigint FROM write.{table} AS t"
        );
        let hash: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&target.pool)
            .await
            .expect("a hash");
        hashes.push((table, hash));
    }
    hashes
}
