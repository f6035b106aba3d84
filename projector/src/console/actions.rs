//! What operators do with a projection: pause, resume, rebuild, verify, swap, roll back, drop.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};

use super::{
    error::PageError,
    fields::Fields,
    page::{Page, html},
    projection::definition,
    state::Console,
    visitor::Visitor,
};
use crate::{
    command::pause::{self, pause, resume},
    command::rebuild::Operation,
    projection::Definition,
};

/// The page that asks before something is lost.
#[derive(Template)]
#[template(path = "console/confirm.html")]
struct ConfirmPage {
    page: Page,
    name: &'static str,
    action: &'static str,
    heading: &'static str,
    consequence: &'static str,
    button: &'static str,
}

/// An operation by its last segment in the path, with what the page about it asks; None if it is not asked about.
fn operation(action: &str) -> Option<(Operation, Option<[&'static str; 4]>)> {
    let accept = |accept_differences| Operation::Rebuild { accept_differences };
    Some(match action {
        "rebuild" => (accept(false), None),
        "verify" => (Operation::Verify, None),
        "rollback" => (Operation::Rollback, None),
        "swap" => (
            accept(true),
            Some([
                "swap",
                "Swap in tables that differ?",
                "The rebuilt tables become live although they differ from the present ones: to repair damage, or after a change of the \
                 projection's code. Readers see the rebuilt rows at once. The present tables stay as the previous generation, and a \
                 rollback makes them live again, until they are dropped.",
                "Accept the differences and swap",
            ]),
        ),
        "drop-previous" => (
            Operation::DropPrevious,
            Some([
                "drop-previous",
                "Drop the previous generation?",
                "The tables that the last rebuild or rollback replaced are deleted. Afterwards there is nothing to roll back to.",
                "Drop the previous generation",
            ]),
        ),
        "abort" => (
            Operation::Abort,
            Some([
                "abort",
                "Drop the unfinished rebuild?",
                "The tables that the rebuild has filled so far are deleted, and the next rebuild starts at the beginning of the log. The \
                 live tables stay as they are.",
                "Drop the unfinished rebuild",
            ]),
        ),
        _ => return None,
    })
}

pub async fn confirm(
    visitor: Visitor,
    Path((name, action)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let name = definition(&name)?.name();
    let question = operation(&action).and_then(|(_, question)| question);
    let [action, heading, consequence, button] =
        question.ok_or_else(|| PageError::not_found(format!("question about {action}")))?;
    html(&ConfirmPage {
        page: Page::new(heading, "projections", &visitor),
        name,
        action,
        heading,
        consequence,
        button,
    })
}

pub async fn act(
    State(console): State<Console>,
    visitor: Visitor,
    Path((name, action)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, PageError> {
    let projection = definition(&name)?;
    match action.as_str() {
        "pause" | "resume" => {
            change_pause(&console, &visitor, projection, &action, &fields).await?;
        }
        _ => {
            let unknown = || PageError::not_found(format!("action {action}"));
            let (operation, question) = operation(&action).ok_or_else(unknown)?;
            if question.is_some() && fields.raw("confirmed") != "yes" {
                return Err(PageError::field(
                    "confirmed",
                    "is missing: this asks for a confirmation first",
                ));
            }
            let settings = console.settings(&fields, &visitor)?;
            let started = console.tasks.start(operation, vec![projection], settings);
            started.map_err(PageError::conflict)?;
            visitor.notify(format!("Started: {action} of {}.", projection.name()));
        }
    }
    Ok(Redirect::to(&format!("/console/projections/{}", projection.name())).into_response())
}

async fn change_pause(
    console: &Console,
    visitor: &Visitor,
    projection: &'static Definition,
    action: &str,
    fields: &Fields,
) -> Result<(), PageError> {
    let args = pause::Args {
        name: projection,
        partition: fields.partition("partition")?,
        reason: fields.required("reason")?,
        by: visitor.name().to_owned(),
    };
    let mut db = console.database.connection().await?;
    let done = if action == "pause" {
        pause(&args, &mut db).await?
    } else {
        resume(&args, &mut db).await?
    };
    visitor.notify(done);
    console.live.fresh_report().await?;
    Ok(())
}
