//! What the endpoints of all lists of accounts have in common.

use feedmill_events::Tag;
use serde::Serialize;

use crate::{
    cache::answer::{Answer, LoadedAnswer},
    error::Error,
    http::{page::PageRequest, sort_key::SortKey},
    seek::TimeKey,
    sql::account_lists::{AccountList, ListedAccount},
    views::CountedPage,
};

/// The answer with a page of a list. It depends on `tags` and on the names of the listed accounts. `key` makes the key of an item,
/// and `item` what the page has of it.
pub(super) fn account_page<K: SortKey, T: Serialize>(
    request: &PageRequest<'_, K>,
    list: AccountList,
    tags: impl IntoIterator<Item = Tag>,
    key: impl Fn(TimeKey) -> K,
    item: impl Fn(ListedAccount) -> T,
) -> Result<LoadedAnswer, Error> {
    let names = list.listed.iter();
    let names = names.map(|listed| Tag::account_summary(listed.account.id));
    let tags: Vec<Tag> = tags.into_iter().chain(names).collect();
    let (page, link) = request.page(list.listed, |listed| key((listed.at, listed.account.id)));
    let page = CountedPage {
        page: page.map(item),
        total: list.total,
    };
    Answer::page(&page, link, tags)
}
