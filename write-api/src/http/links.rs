use axum::{
    extract::State,
    response::Response,
    routing::{MethodRouter, put},
};
use feedmill_service::{Caller, Problem, extract::Path};
use uuid::Uuid;

use super::{request::CommandRequest, response};
use crate::{
    app::App,
    domain::{LinkAction, LinkCommand, LinkKind},
};

/// `PUT` and `DELETE` of the caller's link to the `{id}` in the path: 204, also if nothing changes.
pub fn put_and_delete(kind: LinkKind) -> MethodRouter<App> {
    put(move |app, caller, target, request| {
        submit(app, caller, target, request, kind, LinkAction::Add)
    })
    .delete(move |app, caller, target, request| {
        submit(app, caller, target, request, kind, LinkAction::Remove)
    })
}

async fn submit(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(target): Path<Uuid>,
    request: CommandRequest,
    kind: LinkKind,
    action: LinkAction,
) -> Result<Response, Problem> {
    let command = LinkCommand {
        kind,
        action,
        target,
    };
    let answer = app.submit(&caller, command, request.key).await?;
    Ok(response::done(&answer))
}
