//! The operators' console: pages for what the subcommands do, on the operators' listener.
//!
//! A page calls the functions that the subcommand calls, and says the same. It is HTML that the server renders, with links and forms
//! that work without scripts; htmx refreshes parts of it, and uPlot draws the charts. There is no console unless somebody may use it
//! ([`settings`]).
//!
//! - `tokens`, `access`, `session`, `visitor`, `guard`, `sign_in`: who may use it, and protection against forged requests.
//! - `page`, `error`, `fields`, `format`, `badge`, `brief`, `differing`, `assets`: what all pages share.
//! - `live`, `tasks`, `state`: the state of the projections, the operations that run, and what the handlers need.
//! - `projections`, `projection`, `actions`, `skip`, `log`, `event`, `operations`, `explain`, `audit`: the pages.

mod access;
mod actions;
mod assets;
mod audit;
mod badge;
mod brief;
mod differing;
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
mod state;
mod tasks;
mod tokens;
mod visitor;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::{get, post},
};
use feedmill_service::{Database, Shutdown, http::Pages};

use self::{
    access::Access,
    page::{HOME, SIGN_IN},
    state::Console,
};
use crate::config::Config;

/// The pages; none unless somebody may use them. Errors: invalid settings.
pub fn pages(config: &Config, database: Database, shutdown: &Shutdown) -> anyhow::Result<Pages> {
    let Some(access) = Access::new(&config.console, shutdown)? else {
        return Ok(Pages::default());
    };
    let console = Console::new(access, config, database);
    let open = Router::new()
        .route(SIGN_IN, get(sign_in::form).post(sign_in::sign_in))
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
    Ok(Pages {
        router: open.merge(pages).with_state(console),
        path: "/console",
    })
}
