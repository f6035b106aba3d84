use super::*;
use crate::domain::scenario::{AT, account, decide, decide_at, events, id, rejection};

fn change_handle(handle: &str) -> AccountCommand {
    AccountCommand::ChangeProfile(AccountChange {
        handle: Some(Handle::try_from(handle.to_owned()).unwrap()),
        ..AccountChange::default()
    })
}

#[test]
fn a_handle_belongs_to_one_account_and_stays_with_it_for_30_days() {
    let given = [account(1), account(2)];
    let take = change_handle("USER2");
    assert_eq!(rejection(&given, 1, take.clone()), Rejection::HandleTaken);
    let changed = events(&given, 2, change_handle("elsewhere"));
    let given = [&given[..], &changed[..]].concat();
    let after = |days: i64| AT + days * 24 * 60 * 60 * 1_000;
    let taken = |now| decide_at(now, &given, 1, take.clone()).map(|taken| taken.events.len());
    assert_eq!(taken(after(30) - 1), Err(Rejection::HandleTaken));
    assert_eq!(taken(after(30)), Ok(1));
    // Its owner may have it back.
    let returned = events(&given, 2, take.clone());
    assert_eq!(returned.len(), 1);
    let given = [&given[..], &returned[..]].concat();
    let elsewhere = change_handle("elsewhere");
    assert_eq!(rejection(&given, 1, elsewhere), Rejection::HandleTaken);
    assert_eq!(rejection(&given, 1, take), Rejection::HandleTaken);
}

#[test]
fn a_new_account_does_not_get_a_handle_that_stays_with_its_owner() {
    let given = [account(1)];
    let changed = events(&given, 1, change_handle("elsewhere"));
    let given = [&given[..], &changed[..]].concat();
    let create = AccountCommand::Create {
        account: None,
        handle: Handle::try_from("user1".to_owned()).unwrap(),
        display_name: DisplayName::try_from("First".to_owned()).unwrap(),
        password_hash: None,
    };
    assert_eq!(rejection(&given, 0, create), Rejection::HandleTaken);
}

#[test]
fn nobody_changes_to_a_reserved_handle_but_an_imported_one_stays() {
    let given = [account(1)];
    let reserved = rejection(&given, 1, change_handle("admin"));
    assert_eq!(reserved, Rejection::HandleReserved);
    let imported = Event::AccountCreated(AccountCreated {
        account: id(1),
        handle: "admin".to_owned(),
        display_name: "Admin".to_owned(),
    });
    assert_eq!(events(&[imported], 1, change_handle("admin")), []);
}

#[test]
fn an_accounts_own_handle_is_no_conflict_and_no_change() {
    assert_eq!(events(&[account(1)], 1, change_handle("user1")), []);
}

#[test]
fn an_external_account_is_created_once() {
    let ensure = AccountCommand::Ensure {
        account: id(5),
        handle_hint: None,
        name_hint: None,
    };
    let created = events(&[], 5, ensure.clone());
    assert_eq!(created.len(), 1);
    assert_eq!(events(&created, 5, ensure), []);
}

#[test]
fn an_external_account_gets_a_free_handle() {
    let ensure = AccountCommand::Ensure {
        account: id(5),
        handle_hint: Some("User1".to_owned()),
        name_hint: Some("Fifth".to_owned()),
    };
    let events = events(&[account(1)], 5, ensure);
    let [Event::AccountCreated(created)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(created.account, id(5));
    assert!(created.handle.starts_with("u_"), "{}", created.handle);
    assert!(Handle::try_from(created.handle.clone()).is_ok());
    assert_eq!(created.display_name, "Fifth");
}

#[test]
fn an_external_account_does_not_get_a_reserved_handle() {
    let ensure = AccountCommand::Ensure {
        account: id(5),
        handle_hint: Some("Admin".to_owned()),
        name_hint: None,
    };
    let events = events(&[], 5, ensure);
    let [Event::AccountCreated(created)] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(created.handle.starts_with("u_"), "{}", created.handle);
}

#[test]
fn a_password_hash_is_stored_and_is_in_no_event() {
    let create = AccountCommand::Create {
        account: None,
        handle: Handle::try_from("miller".to_owned()).unwrap(),
        display_name: DisplayName::try_from("Miller".to_owned()).unwrap(),
        password_hash: Some("the hash".to_owned()),
    };
    let decision = decide(&[], 0, create).unwrap();
    let (account, hash) = decision.password_hash.unwrap();
    assert_eq!(hash, "the hash");
    let expected = AccountCreated {
        account,
        handle: "miller".to_owned(),
        display_name: "Miller".to_owned(),
    };
    assert_eq!(decision.events, [Event::AccountCreated(expected)]);
}

#[test]
fn an_imported_account_of_an_identity_provider_has_its_id_and_is_created_once() {
    let create = |handle: &str| AccountCommand::Create {
        account: Some(id(5)),
        handle: Handle::try_from(handle.to_owned()).unwrap(),
        display_name: DisplayName::try_from("Fifth".to_owned()).unwrap(),
        password_hash: Some("the hash".to_owned()),
    };
    assert_eq!(create("fifth").partition(Uuid::nil()), Partition::of(id(5)));
    let created = events(&[account(1)], 0, create("fifth"));
    let expected = AccountCreated {
        account: id(5),
        handle: "fifth".to_owned(),
        display_name: "Fifth".to_owned(),
    };
    assert_eq!(created, [Event::AccountCreated(expected)]);
    assert_eq!(
        rejection(&[account(1)], 0, create("user1")),
        Rejection::HandleTaken
    );
    // The account keeps its handle and has no password.
    let again = decide(&created, 0, create("sixth")).unwrap();
    assert_eq!((again.events, again.password_hash), (vec![], None));
}

#[test]
fn one_command_changes_profile_and_settings() {
    let given = [account(1)];
    let change = |bio: Option<&str>, default_audience, who_may_message| {
        AccountCommand::ChangeProfile(AccountChange {
            bio: bio.map(|bio| Bio::try_from(bio.to_owned()).unwrap()),
            default_audience,
            who_may_message,
            ..AccountChange::default()
        })
    };
    let settings = |default_audience, who_may_message| {
        Event::SettingsChanged(SettingsChanged {
            account: id(1),
            default_audience,
            who_may_message,
        })
    };
    let connections = Some(WhoMayMessage::Connections);
    let both = events(&given, 1, change(Some("I grind."), None, connections));
    let first = settings(Audience::Public, WhoMayMessage::Connections);
    assert!(matches!(both[0], Event::ProfileChanged(_)));
    assert_eq!(both[1..], [first]);
    // The event has all settings, also those that did not change.
    let given = [&given[..], &both[..]].concat();
    let me = events(&given, 1, change(None, Some(Audience::Me), None));
    let second = settings(Audience::Me, WhoMayMessage::Connections);
    assert_eq!(me, [second]);
    let given = [&given[..], &me[..]].concat();
    let again = change(Some("I grind."), Some(Audience::Me), connections);
    let again = decide(&given, 1, again).unwrap();
    assert_eq!(again.events, []);
    let Outcome::Account { settings, .. } = again.outcome else {
        panic!("{again:?}")
    };
    assert_eq!(settings.default_audience, Audience::Me);
    assert_eq!(settings.who_may_message, WhoMayMessage::Connections);
}
