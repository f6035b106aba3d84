use anyhow::{Context, bail};
use feedmill_service::sql;
use rand::{Rng as _, distributions::Alphanumeric, thread_rng};
use sqlx::{ConnectOptions as _, PgConnection};
use uuid::Uuid;

use crate::{
    client::Client,
    config::{APPLICATION_NAME, AccountAction, Config},
    domain::{Clock, Password},
    session::{Hasher, Lifetimes, Queue, operator},
};

/// Some 119 bits.
const PASSWORD_CHARACTERS: usize = 20;

/// `write-api account end-sessions|reset-password @handle`.
pub async fn account(config: &Config, action: &AccountAction) -> anyhow::Result<()> {
    if config.auth.auth_jwks_url.is_some() {
        bail!("sessions and passwords are managed by the identity provider of AUTH_JWKS_URL");
    }
    let mut connection = connect(config).await?;
    let now = Clock::default().now().at();
    let until = Lifetimes::from(&config.auth).refused_until(now);
    match action {
        AccountAction::EndSessions { account } => {
            let id = find(&mut connection, account).await?;
            let ended = operator::end_sessions(&mut connection, id, until).await?;
            println!("{account}: ended {ended} sessions");
        }
        AccountAction::ResetPassword { account } => {
            let id = find(&mut connection, account).await?;
            let password = random_password();
            let new = Password::try_from(password.clone())?;
            let hash = Hasher::new(1)?
                .hash(new, Queue::SignIn, Client::Known(id))
                .await?;
            let ended = operator::reset_password(&mut connection, id, &hash, until).await?;
            eprintln!("{account}: ended {ended} sessions; the new password is");
            println!("{password}");
        }
    }
    Ok(())
}

/// A connection as the role of the service.
pub(super) async fn connect(config: &Config) -> anyhow::Result<PgConnection> {
    let options = sql::options(config.write_database_url()?, APPLICATION_NAME, None)?;
    Ok(options.connect().await?)
}

/// The account with this id, or with this handle behind an `@`.
pub(super) async fn find(connection: &mut PgConnection, account: &str) -> anyhow::Result<Uuid> {
    let handle = account.strip_prefix('@').map(str::to_lowercase);
    let id = Uuid::try_parse(account).ok();
    if handle.is_none() && id.is_none() {
        bail!("{account:?} is neither an id nor a handle, such as @miller");
    }
    let found = operator::find_account(connection, handle.as_deref(), id).await?;
    found.with_context(|| format!("there is no account {account}"))
}

fn random_password() -> String {
    let characters = thread_rng().sample_iter(Alphanumeric);
    characters
        .take(PASSWORD_CHARACTERS)
        .map(char::from)
        .collect()
}
