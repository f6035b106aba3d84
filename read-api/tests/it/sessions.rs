//! Ended sessions.

use std::time::Duration;

use feedmill_service::tokens::revocations::list::EndedSession;
use feedmill_tests::{client::EventStream, token::now};
use reqwest::Method;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{app::App, nats::Announcer};

impl App {
    fn session_token(&self, account: Uuid, session: Uuid) -> String {
        let (ttl, now) = (Duration::from_mins(10), now());
        let token = self.signer.sign_for_session(account, session, ttl, now);
        token.unwrap()
    }

    fn end_session(&self, session: Uuid) {
        let until = u64::try_from(now().timestamp()).unwrap() + 600;
        let revocations = self.state.verifier.revocations();
        revocations.add(&[EndedSession { session, until }]);
    }

    async fn session_stream(&self, account: Uuid, session: Uuid) -> EventStream {
        let request = reqwest::Client::new().get(format!("{}/v1/stream", self.address));
        let request = request.bearer_auth(self.session_token(account, session));
        EventStream::new(request.send().await.unwrap())
    }
}

#[tokio::test]
async fn an_ended_session_reads_nothing_not_even_from_the_cache() {
    let app = App::start().await;
    let _announcer = Announcer::of(&app).await;
    let me = app.account(1).await;
    let (ended, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let read = async |session| {
        let bearer = format!("Bearer {}", app.session_token(me, session));
        let headers = [("authorization", &*bearer)];
        app.send(Method::GET, "/v1/me", &headers).await
    };
    for _ in 0..2 {
        assert_eq!(read(ended).await.status, 200);
    }
    assert_eq!(read(ended).await.headers["x-cache"], "hit");
    app.end_session(ended);
    assert_eq!(read(ended).await.code(), (401, "session_ended"));
    assert_eq!(read(other).await.headers["x-cache"], "hit");
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let app = App::start().await;
    let me = app.account(1).await;
    let (ended, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let mut streams = [
        app.session_stream(me, ended).await,
        app.session_stream(me, ended).await,
    ];
    let mut unaffected = app.session_stream(me, other).await;
    for stream in streams.iter_mut().chain([&mut unaffected]) {
        assert_eq!(stream.next().await.unwrap().name, "unread");
    }
    app.end_session(ended);
    for stream in &mut streams {
        let end = timeout(Duration::from_secs(20), stream.next()).await;
        assert!(end.unwrap().is_none());
    }
    let open = timeout(Duration::from_millis(300), unaffected.next()).await;
    assert!(open.is_err(), "{open:?}");
}
