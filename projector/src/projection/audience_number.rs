//! Audiences as numbers in tables.

use feedmill_events::event::v1::Audience;

/// As the comments of the tables have them.
pub fn audience_number(audience: &Audience) -> i16 {
    match audience {
        Audience::Public => 0,
        Audience::Connections => 1,
        Audience::Tags(_) => 2,
        Audience::Me => 3,
    }
}
