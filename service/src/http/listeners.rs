//! The two addresses of a service: a public one for clients, and a private one for operators.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;

use super::{
    layers::{self, Pages},
    server,
    tls::TlsArgs,
};
use crate::{config::HttpArgs, health::Health, shutdown::Shutdown};

pub struct Listeners {
    public: TcpListener,
    admin: TcpListener,
}

impl Listeners {
    /// `setting` is the name of the setting that `public` comes from. Errors: an address that is in use.
    pub async fn bind(
        public: SocketAddr,
        setting: &str,
        admin: SocketAddr,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            public: bind(public, setting).await?,
            admin: bind(admin, "ADMIN_LISTEN").await?,
        })
    }

    pub fn public_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.public.local_addr()?)
    }

    pub fn admin_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.admin.local_addr()?)
    }

    /// Serves `app` and `/health/live` to clients, and `admin`, `/metrics` and `/health/…` to operators, until `shutdown`;
    /// see [`server::serve`].
    pub async fn serve(
        self,
        app: Router,
        admin: Router,
        args: &HttpArgs,
        health: &Health,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let pages = Pages::default();
        self.serve_with_pages(app, admin, pages, args, health, shutdown)
            .await
    }

    /// The same, with pages for operators' browsers.
    pub async fn serve_with_pages(
        self,
        app: Router,
        admin: Router,
        pages: Pages,
        args: &HttpArgs,
        health: &Health,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let (drain, health_of_service) = (shutdown.drain.clone(), health.clone());
        tokio::spawn(async move {
            drain.cancelled().await;
            health_of_service.set("service", Err("shutting down".to_owned()));
        });
        let app = layers::standard(app, args);
        let admin = layers::admin(admin, pages, args, health);
        let private = HttpArgs {
            tls: TlsArgs::default(),
            ..args.clone()
        };
        tokio::try_join!(
            server::serve(self.public, app, args, shutdown.clone()),
            server::serve(self.admin, admin, &private, shutdown),
        )?;
        Ok(())
    }
}

async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} ({setting})"))
}
