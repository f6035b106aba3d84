//! Commands that make links and undo them, for every kind of link.

use anyhow::Result;
use uuid::Uuid;

use super::{
    access::{refusal_of_account, refusal_of_post},
    random::{Kind, Pick, Theme, pick},
    state::{State, expect_status},
};
use crate::link::{LinkKind, LinkTarget};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkCommand {
    pub kind: LinkKind,
    pub to: Pick,
    /// Whether it makes the link, or undoes it.
    pub make: bool,
}

pub fn kinds() -> Vec<Kind<LinkCommand>> {
    let kinds = LinkKind::ALL.into_iter();
    let both = kinds.flat_map(|kind| [(kind, true, 5.5), (kind, false, 3.5)]);
    let draw = |(kind, make, percent): (LinkKind, bool, f64)| {
        let name = kind.record_type(make);
        Kind::new(name, percent, Theme::Feed, move |rng| LinkCommand {
            kind,
            to: pick(rng),
            make,
        })
    };
    both.map(draw).collect()
}

pub async fn perform(state: &mut State<'_>, who: Uuid, command: LinkCommand) -> Result<()> {
    let LinkCommand { kind, to, make } = command;
    let to = match kind.target() {
        LinkTarget::Post => state.post(to),
        LinkTarget::Account => state.account(to),
    };
    let Some(to) = to else { return Ok(()) };
    let refusal = match kind.target() {
        // Undoing always succeeds.
        _ if !make => None,
        LinkTarget::Post => refusal_of_post(&state.oracle, who, to),
        LinkTarget::Account if to == who => Some(422),
        // Muting ignores blocks.
        LinkTarget::Account if kind == LinkKind::Mute => None,
        LinkTarget::Account => refusal_of_account(&state.oracle, who, to),
    };
    let status = refusal.unwrap_or(204);
    let answer = state.client_of(who).link(kind, to, make).await;
    expect_status(&answer, status)?;
    if status == 204 && make {
        // The time comes from the state tables before each comparison.
        state.oracle.link(kind, who, to, 0);
    } else if status == 204 {
        state.oracle.unlink(kind, who, to);
    }
    Ok(())
}
