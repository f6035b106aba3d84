//! What the handlers of the pages need.

use std::sync::Arc;

use feedmill_service::Database;

use super::{
    access::Access, error::PageError, fields::Fields, live::LiveStatus, session::Sessions,
    tasks::Tasks, visitor::Visitor,
};
use crate::{config::Config, rebuild::Settings};

/// Cheap to clone.
#[derive(Clone)]
pub struct Console {
    pub access: Access,
    pub sessions: Sessions,
    pub database: Database,
    pub live: LiveStatus,
    pub tasks: Tasks,
    pub config: Arc<Config>,
}

impl Console {
    pub fn new(access: Access, config: &Config, database: Database) -> Self {
        Self {
            access,
            sessions: Sessions::default(),
            live: LiveStatus::new(database.clone()),
            database,
            tasks: Tasks::default(),
            config: Arc::new(config.clone()),
        }
    }

    /// The settings of a rebuild and the like, from the fields of a form.
    pub fn settings(&self, fields: &Fields, visitor: &Visitor) -> Result<Settings, PageError> {
        let max_live_lag = fields.number("max_live_lag", 0)?;
        Ok(Settings {
            url: self.config.database_url.clone(),
            nats: self.config.nats.clone(),
            context: self.config.context(),
            max_live_lag: max_live_lag.unwrap_or(Settings::DEFAULT_MAX_LIVE_LAG),
            with_skipped: fields.is_set("with_skipped"),
            by: visitor.name().to_owned(),
        })
    }
}
