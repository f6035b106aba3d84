use anyhow::{Context, bail};
use feedmill_service::sql;
use sqlx::ConnectOptions as _;
use uuid::Uuid;

use crate::{
    config::{APPLICATION_NAME, Config},
    domain::Clock,
};

/// `write-api token @handle`: prints an access token for an account, like that of a session. It needs no password, because
/// whoever can run it has the signing key.
pub async fn token(config: &Config, account: &str) -> anyhow::Result<()> {
    if config.auth.auth_jwks_url.is_some() {
        bail!("tokens are issued by the identity provider of AUTH_JWKS_URL");
    }
    let options = sql::options(config.write_database_url()?, APPLICATION_NAME, None)?;
    let handle = account.strip_prefix('@').map(str::to_lowercase);
    let id = Uuid::try_parse(account).ok();
    if handle.is_none() && id.is_none() {
        bail!("{account:?} is neither an id nor a handle, such as @miller");
    }
    let query = sqlx::query_scalar!(
        r#"/* account.id.find */ SELECT id FROM write.accounts WHERE handle = $1 OR id = $2"#,
        handle,
        id
    );
    let found = sql::named(
        "account.id.find",
        query.fetch_optional(&mut options.connect().await?),
    )
    .await?;
    let found = found.with_context(|| format!("there is no account {account}"))?;
    let now = Clock::default().now().at();
    println!(
        "{}",
        config
            .auth
            .signer()?
            .sign(found, config.auth.access_token_ttl, now)?
    );
    Ok(())
}
