//! Handles that no account may choose: names that people take for the service itself or its operators, addresses that mail
//! servers reserve (RFC 2142), and path segments that a web client is likely to use for its own pages. Imported accounts keep
//! theirs.

/// Sorted.
const RESERVED: &[&str] = &[
    "abuse",
    "account",
    "accounts",
    "admin",
    "administrator",
    "administrators",
    "admins",
    "anonymous",
    "api",
    "assets",
    "auth",
    "blog",
    "bookmarks",
    "compliance",
    "contact",
    "copyright",
    "dmca",
    "docs",
    "everyone",
    "explore",
    "feed",
    "feedmill",
    "feedmill_official",
    "feedmill_support",
    "ftp",
    "guest",
    "health",
    "help",
    "helpdesk",
    "home",
    "hostmaster",
    "imprint",
    "info",
    "legal",
    "localhost",
    "login",
    "logout",
    "mail",
    "mailer_daemon",
    "me",
    "messages",
    "metrics",
    "mod",
    "moderation",
    "moderator",
    "moderators",
    "mods",
    "news",
    "nobody",
    "noc",
    "noreply",
    "notifications",
    "null",
    "official",
    "operator",
    "owner",
    "password",
    "postmaster",
    "press",
    "privacy",
    "root",
    "search",
    "security",
    "server",
    "service",
    "settings",
    "signin",
    "signout",
    "signup",
    "staff",
    "static",
    "status",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "team",
    "terms",
    "undefined",
    "user",
    "users",
    "verified",
    "webmaster",
    "www",
];

/// `handle` is in lower case.
pub fn is_reserved(handle: &str) -> bool {
    RESERVED.binary_search(&handle).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(RESERVED.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn only_whole_names_are_reserved() {
        assert!(is_reserved("admin"));
        assert!(!is_reserved("admin_of_the_mill"));
        assert!(!is_reserved("miller"));
    }
}
