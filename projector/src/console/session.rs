//! Sessions: what a cookie stands for. In memory, so that a restart of the process ends them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::access::{Operator, SESSION_LIFETIME};

const COOKIE: &str = "feedmill_console";
/// With more, the one that expires first ends.
const MAX_SESSIONS: usize = 1_000;

#[derive(Debug, Clone)]
pub struct Session {
    pub operator: Operator,
    /// Has to be in every form: only a page of the console knows it.
    pub csrf: String,
    /// What the last action led to, shown once.
    notice: Option<String>,
}

/// Cheap to clone; clones share the sessions. A cookie is only stored as its SHA-256.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<[u8; 32], Session>>>);

impl Sessions {
    /// Begins a session. Returns the value of `Set-Cookie`.
    pub fn begin(&self, operator: Operator, is_secure: bool) -> HeaderValue {
        let id = random();
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.operator.expires > Instant::now());
        if sessions.len() >= MAX_SESSIONS {
            let first = sessions.iter().min_by_key(|(_, it)| it.operator.expires);
            if let Some(first) = first.map(|(key, _)| *key) {
                sessions.remove(&first);
            }
        }
        let session = Session {
            operator,
            csrf: random(),
            notice: None,
        };
        sessions.insert(key(&id), session);
        cookie(&id, SESSION_LIFETIME.as_secs(), is_secure)
    }

    /// The session of a request.
    pub fn of(&self, headers: &HeaderMap) -> Option<Session> {
        let session = self.lock().get(&key(id(headers)?)).cloned()?;
        (session.operator.expires > Instant::now()).then_some(session)
    }

    /// Ends the session of a request. Returns the value of `Set-Cookie`.
    pub fn end(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(id) = id(headers) {
            self.lock().remove(&key(id));
        }
        cookie("", 0, false)
    }

    /// Has the next page of the session show what an action led to.
    pub fn notify(&self, headers: &HeaderMap, notice: String) {
        if let Some(key) = id(headers).map(key)
            && let Some(session) = self.lock().get_mut(&key)
        {
            session.notice = Some(notice);
        }
    }

    pub fn take_notice(&self, headers: &HeaderMap) -> Option<String> {
        let key = key(id(headers)?);
        self.lock().get_mut(&key)?.notice.take()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn key(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

fn id(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, id)| id)
}

fn cookie(id: &str, seconds: u64, is_secure: bool) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE}={id}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::try_from(text).expect("base64url is visible ASCII")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn operator(name: &str, seconds: u64) -> Operator {
        Operator {
            name: name.to_owned(),
            token: None,
            expires: Instant::now() + Duration::from_secs(seconds),
        }
    }

    /// The headers of a browser that got this cookie.
    fn with(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        let value = format!("other=1; {pair}");
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(value).unwrap())])
    }

    #[test]
    fn a_cookie_stands_for_a_session_until_it_ends() {
        let sessions = Sessions::default();
        let cookie = sessions.begin(operator("ann", 60), false);
        let text = cookie.to_str().unwrap();
        assert!(
            text.contains("; HttpOnly; SameSite=Strict") && text.contains("; Path=/console;"),
            "{text}"
        );
        assert!(!text.contains("Secure"));
        let (ann, bob) = (
            with(&cookie),
            with(&sessions.begin(operator("bob", 60), true)),
        );
        let name = |headers| sessions.of(headers).map(|it| it.operator.name);
        assert_eq!(
            (name(&ann).as_deref(), name(&bob).as_deref()),
            (Some("ann"), Some("bob"))
        );
        assert_ne!(
            sessions.of(&ann).unwrap().csrf,
            sessions.of(&bob).unwrap().csrf
        );
        sessions.notify(&ann, "done".to_owned());
        assert_eq!(sessions.take_notice(&bob), None);
        assert_eq!(sessions.take_notice(&ann).as_deref(), Some("done"));
        assert_eq!(sessions.take_notice(&ann), None);
        sessions.end(&ann);
        assert!(name(&ann).is_none() && name(&bob).is_some());
        assert!(name(&HeaderMap::new()).is_none());
    }

    #[test]
    fn expired_sessions_end_and_their_number_is_bounded() {
        let sessions = Sessions::default();
        let expired = with(&sessions.begin(operator("ann", 0), false));
        assert!(sessions.of(&expired).is_none());
        let first = with(&sessions.begin(operator("first", 50), false));
        for _ in 0..MAX_SESSIONS {
            sessions.begin(operator("bob", 100), false);
        }
        assert!(sessions.of(&first).is_none());
        assert_eq!(sessions.lock().len(), MAX_SESSIONS);
    }
}
