//! The operators' console: pages for what the subcommands do, on the operators' listener.
//!
//! A page calls the functions that the subcommand calls, and says the same. It is HTML that the server renders, with links and forms
//! that work without scripts; htmx refreshes parts of it, and uPlot draws the charts. There is no console unless somebody may use it
//! ([`settings`]).
//!
//! - `tokens`, `access`, `session`, `guard`, `sign_in`: who may use it, and protection against forged requests.
//! - `page`, `error`, `fields`, `format`, `badge`, `assets`: what all pages share.
//! - `live`, `tasks`: the state of the projections, and the operations that run.
//! - `projections`, `projection`, `actions`, `skip`, `log`, `event`, `operations`, `explain`, `audit`: the pages.

mod access;
mod actions;
mod assets;
mod audit;
mod badge;
mod error;
mod event;
mod explain;
mod fields;
mod format;
mod guard;
mod live;
mod log;
mod operations;
mod page;
mod projection;
mod projections;
mod session;
pub mod settings;
mod sign_in;
mod skip;
mod tasks;
mod tokens;

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::{get, post},
};
use feedmill_service::{Database, Shutdown};

use self::{
    access::Access, error::PageError, fields::Fields, guard::Visitor, live::LiveStatus,
    session::Sessions, tasks::Tasks,
};
use crate::{config::Config, rebuild::Settings};

const HOME: &str = "/console/projections";

/// Cheap to clone.
#[derive(Clone)]
struct Console {
    access: Access,
    sessions: Sessions,
    database: Database,
    live: LiveStatus,
    tasks: Tasks,
    config: Arc<Config>,
}

impl Console {
    /// The settings of a rebuild and the like, from the fields of a form.
    fn settings(&self, fields: &Fields, visitor: &Visitor) -> Result<Settings, PageError> {
        Ok(Settings {
            url: self.config.database_url.clone(),
            nats: self.config.nats.clone(),
            context: self.config.context(),
            max_live_lag: fields
                .number("max_live_lag", 0)?
                .unwrap_or(Settings::DEFAULT_MAX_LIVE_LAG),
            with_skipped: fields.is_set("with_skipped"),
            by: visitor.name().to_owned(),
        })
    }
}

/// The pages; none unless somebody may use them. Errors: invalid settings.
pub fn router(config: &Config, database: Database, shutdown: &Shutdown) -> anyhow::Result<Router> {
    let Some(access) = Access::new(&config.console, shutdown)? else {
        return Ok(Router::new());
    };
    let console = Console {
        access,
        sessions: Sessions::default(),
        live: LiveStatus::new(database.clone()),
        database,
        tasks: Tasks::default(),
        config: Arc::new(config.clone()),
    };
    let open = Router::new()
        .route(guard::SIGN_IN, get(sign_in::form).post(sign_in::sign_in))
        .route("/console/assets/{name}", get(assets::asset))
        .layer(from_fn(guard::open));
    let home = || async { Redirect::to(HOME) };
    let pages = Router::new()
        .route("/console", get(home))
        .route("/console/", get(home))
        .route(
            "/console/{*path}",
            get(guard::not_found).post(guard::not_found),
        )
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/all/{operation}", post(projections::all))
        .route("/console/projections", get(projections::list))
        .route("/console/projections/table", get(projections::table))
        .route("/console/projections/lag.json", get(projections::lag))
        .route("/console/projections/{name}", get(projection::show))
        .route("/console/projections/{name}/live", get(projection::live))
        .route(
            "/console/projections/{name}/confirm/{action}",
            get(actions::confirm),
        )
        .route(
            "/console/projections/{name}/act/{action}",
            post(actions::act),
        )
        .route(
            "/console/projections/{name}/skip/{partition}/{seq}",
            get(skip::confirm).post(skip::act),
        )
        .route("/console/log", get(log::list))
        .route("/console/log/table", get(log::table))
        .route("/console/log/texts", post(log::with_texts))
        .route("/console/log/{partition}/{seq}", get(event::show))
        .route(
            "/console/log/{partition}/{seq}/texts",
            post(event::with_texts),
        )
        .route("/console/operations", get(operations::show))
        .route("/console/operations/live", get(operations::live))
        .route("/console/operations/indexes", get(operations::indexes))
        .route("/console/operations/cache", post(operations::cache))
        .route("/console/explain", get(explain::form).post(explain::show))
        .route("/console/audit", get(audit::list))
        .layer(from_fn_with_state(console.clone(), guard::guard));
    Ok(open.merge(pages).with_state(console))
}
