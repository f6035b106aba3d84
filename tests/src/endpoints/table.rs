//! One row for each endpoint.

use feedmill_events::Projection::{self, Conversations, Digest, Feed, Notifications, Profiles};

use super::{
    bad_values,
    endpoint::{Access, BadValues, Body, Endpoint, Kind, Service},
};

/// Alice can send the commands in this order: the one that deletes a post is last.
pub const ENDPOINTS: &[Endpoint] = &[
    other(Service::WriteApi, "/.well-known/jwks.json"),
    command("POST", "/v1/accounts").open().body(
        r#"{"handle": "dora", "display_name": "Dora", "password": "correct horse"}"#,
        &[
            ("handle", bad_values::handle),
            ("display_name", bad_values::display_name),
            ("password", bad_values::password),
        ],
    ),
    command("POST", "/v1/sessions").open().body(
        r#"{"handle": "alice", "password": "correct horse battery"}"#,
        &[
            ("handle", bad_values::sign_in_handle),
            ("password", bad_values::sign_in_password),
            ("device_name", bad_values::name),
            ("device_token", bad_values::optional_token),
        ],
    ),
    command("POST", "/v1/sessions/refresh").open().body(
        r#"{"refresh_token": "x"}"#,
        &[("refresh_token", bad_values::token)],
    ),
    other(Service::WriteApi, "/v1/sessions").access(Access::Account),
    command("DELETE", "/v1/sessions/{session}").access(Access::Owner),
    // The test's tokens belong to no session.
    command("DELETE", "/v1/sessions/current").kind(Kind::Other),
    command("DELETE", "/v1/sessions"),
    command("PUT", "/v1/me/password").body(
        r#"{"current_password": "correct horse battery", "new_password": "another horse"}"#,
        &[
            ("current_password", bad_values::sign_in_password),
            ("new_password", bad_values::password),
        ],
    ),
    command("PATCH", "/v1/me").body(
        r#"{"bio": "changed"}"#,
        &[
            ("handle", bad_values::handle),
            ("display_name", bad_values::display_name),
            ("bio", bad_values::bio),
            ("default_audience", bad_values::default_audience),
            ("who_may_message", bad_values::who_may_message),
        ],
    ),
    command("POST", "/v1/posts")
        .body(
            r#"{"text": "hello"}"#,
            &[
                ("text", bad_values::text),
                ("reply_to", bad_values::optional_id),
                ("audience", bad_values::optional_audience),
                ("tags", bad_values::tags),
            ],
        )
        .body_limit(64 << 10),
    command("PATCH", "/v1/posts/{post}")
        .access(Access::Author)
        .body(r#"{"text": "changed"}"#, &[("text", bad_values::text)])
        .body_limit(64 << 10),
    command("PUT", "/v1/posts/{post}/like"),
    command("DELETE", "/v1/posts/{post}/like").undo(),
    command("PUT", "/v1/posts/{post}/bookmark"),
    command("DELETE", "/v1/posts/{post}/bookmark").undo(),
    command("PUT", "/v1/users/{user}/follow"),
    command("DELETE", "/v1/users/{user}/follow").undo(),
    command("PUT", "/v1/users/{user}/mute"),
    command("DELETE", "/v1/users/{user}/mute").undo(),
    // Of somebody about whom no later command is: a block ends what others need.
    command("PUT", "/v1/users/{dave}/block"),
    command("DELETE", "/v1/users/{dave}/block").undo(),
    command("PUT", "/v1/users/{user}/connection"),
    command("DELETE", "/v1/users/{user}/connection").undo(),
    command("POST", "/v1/tags").body(
        r#"{"name": "colleagues"}"#,
        &[("name", bad_values::display_name)],
    ),
    command("PATCH", "/v1/tags/{tag}")
        .access(Access::Owner)
        .body(r#"{"name": "kin"}"#, &[("name", bad_values::display_name)]),
    command("PUT", "/v1/tags/{tag}/members/{dan}").access(Access::Owner),
    command("DELETE", "/v1/tags/{tag}/members/{dan}").undo(),
    command("PUT", "/v1/feed/read")
        .body(r#"{"up_to": "{post}"}"#, &[("up_to", bad_values::past_id)]),
    command("POST", "/v1/conversations").body(
        r#"{"members": ["{user}", "{carol}"]}"#,
        &[
            ("members", bad_values::members),
            ("title", bad_values::name),
        ],
    ),
    command("POST", "/v1/conversations/{conversation}/messages")
        .access(Access::Member)
        .body(r#"{"text": "hello"}"#, &[("text", bad_values::text)])
        .body_limit(64 << 10),
    command("PUT", "/v1/conversations/{conversation}/read")
        .access(Access::Member)
        .body(r#"{"up_to": "{message}"}"#, &[("up_to", bad_values::id)]),
    command(
        "DELETE",
        "/v1/conversations/{conversation}/messages/{own_message}",
    )
    .undo(),
    command("PUT", "/v1/conversations/{conversation}/mute").access(Access::Member),
    command("DELETE", "/v1/conversations/{conversation}/mute").undo(),
    command("PATCH", "/v1/conversations/{group}")
        .access(Access::Member)
        .body(r#"{"title": "The mill"}"#, &[("title", bad_values::name)]),
    command("PUT", "/v1/conversations/{group}/members/{carol}").access(Access::Member),
    command("DELETE", "/v1/conversations/{group}/members/{author}").undo(),
    command("PUT", "/v1/notifications/read")
        .body(r#"{"up_to": "{post}"}"#, &[("up_to", bad_values::past_id)]),
    command("PUT", "/v1/posts/{post}/audience")
        .access(Access::Author)
        .body(
            r#"{"audience": "connections"}"#,
            &[
                ("audience", bad_values::audience),
                ("tags", bad_values::tags),
            ],
        ),
    command("DELETE", "/v1/posts/{post}").access(Access::Author),
    command("DELETE", "/v1/tags/{tag}").undo(),
    // A page is assembled from cached posts: its ids are one statement, the posts that are not cached another.
    list("/v1/feed", &[Feed, Profiles]).max_statements(2),
    // The same, after the scores of the week's posts.
    read("/v1/digest", &[Digest, Feed, Profiles])
        .queries(&[
            "?period=day&date=2026-01-01",
            "?period=week&date=2026-01-01",
            "?period=week",
        ])
        .max_statements(3),
    list("/v1/bookmarks", &[Feed, Profiles]),
    list("/v1/likes", &[Feed, Profiles]),
    // A block closes the conversation of two.
    list("/v1/conversations", &[Conversations, Feed, Profiles]),
    read(
        "/v1/conversations/{conversation}",
        &[Conversations, Feed, Profiles],
    )
    .access(Access::Member),
    list(
        "/v1/conversations/{conversation}/messages",
        &[Conversations],
    )
    .access(Access::Member),
    read(
        "/v1/conversations/{conversation}/messages/{message}",
        &[Conversations],
    )
    .access(Access::Member),
    list("/v1/notifications", &[Notifications, Feed, Profiles]),
    read(
        "/v1/counts",
        &[Feed, Conversations, Notifications, Profiles],
    ),
    read("/v1/posts/{post}", &[Feed, Profiles]),
    list("/v1/posts/{post}/replies", &[Feed, Profiles]),
    list("/v1/posts/{answer}/ancestors", &[Feed, Profiles]),
    list("/v1/posts/{post}/likes", &[Feed, Profiles]),
    read("/v1/users/{user}", &[Feed, Profiles]),
    list("/v1/users/{author}/posts", &[Feed, Profiles]),
    list("/v1/users/{author}/followers", &[Feed, Profiles]),
    list("/v1/users/{user}/following", &[Feed, Profiles]),
    list("/v1/users/{author}/connections", &[Feed, Profiles]).access(Access::Owner),
    list("/v1/connections/requests", &[Profiles])
        .queries(&["?direction=incoming", "?direction=outgoing"]),
    list("/v1/tags", &[Feed]),
    read("/v1/tags/{tag}", &[Feed]).access(Access::Owner),
    list("/v1/tags/{tag}/members", &[Feed, Profiles]).access(Access::Owner),
    list("/v1/users/{dan}/tags", &[Feed, Profiles]),
    list("/v1/mutes", &[Feed, Profiles]),
    list("/v1/blocks", &[Feed, Profiles]),
    read("/v1/relationships", &[Feed, Profiles]).queries(&["?id={user}&id={carol}"]),
    read("/v1/me", &[Feed, Profiles]),
    list("/v1/me/posts", &[Feed, Profiles]).queries(&["", "?as=public"]),
    other(Service::ReadApi, "/v1/stream").access(Access::Account),
];

const fn command(method: &'static str, path: &'static str) -> Endpoint {
    Endpoint {
        service: Service::WriteApi,
        method,
        path,
        access: Access::Account,
        undo: false,
        kind: Kind::Command,
        body: None,
        body_limit: 8 << 10,
        projections: &[],
        queries: &[""],
        max_statements: 0,
    }
}

const fn read(path: &'static str, projections: &'static [Projection]) -> Endpoint {
    Endpoint {
        service: Service::ReadApi,
        kind: Kind::Read,
        projections,
        max_statements: 1,
        ..command("GET", path)
    }
}

const fn list(path: &'static str, projections: &'static [Projection]) -> Endpoint {
    Endpoint {
        kind: Kind::List,
        ..read(path, projections)
    }
}

const fn other(service: Service, path: &'static str) -> Endpoint {
    Endpoint {
        service,
        kind: Kind::Other,
        access: Access::Anyone,
        ..command("GET", path)
    }
}

impl Endpoint {
    const fn open(self) -> Self {
        self.access(Access::Anyone)
    }

    const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    const fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    const fn undo(self) -> Self {
        Self { undo: true, ..self }
    }

    const fn body(self, legal: &'static str, fields: &'static [(&'static str, BadValues)]) -> Self {
        let body = Some(Body { legal, fields });
        Self { body, ..self }
    }

    const fn body_limit(self, body_limit: usize) -> Self {
        Self { body_limit, ..self }
    }

    const fn queries(self, queries: &'static [&'static str]) -> Self {
        Self { queries, ..self }
    }

    const fn max_statements(self, max_statements: i64) -> Self {
        Self {
            max_statements,
            ..self
        }
    }
}
