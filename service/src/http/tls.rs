//! TLS on the public listener, for those who run without a proxy.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use x509_cert::der::Decode as _;

use super::write_timeout::WriteTimeout;
use crate::telemetry;

/// How often the files are read again.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// A certificate of the public listener.
#[derive(Debug, Clone, Default, Args)]
pub struct TlsArgs {
    /// The file of the certificate (PEM, with its chain) for HTTPS to clients; without it they speak HTTP. It is read again
    /// when it changes. The listener for operators is never encrypted
    #[arg(long, env = "TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The file of the certificate's key (PEM)
    #[arg(long, env = "TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Accepts TLS connections, with HTTP/2 and HTTP/1.1. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl Tls {
    /// None without the settings. Errors: the files do not contain a certificate and its key.
    pub(super) async fn new(args: &TlsArgs) -> anyhow::Result<Option<Self>> {
        let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) else {
            return Ok(None);
        };
        telemetry::install_crypto_provider();
        let files = Files {
            certificate: cert.clone(),
            key: key.clone(),
        };
        let current = files.load().await?;
        report_expiry(&current);
        let current = RwLock::new(Arc::new(current));
        let certificate = Arc::new(Certificate { files, current });
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Some(Self {
            acceptor: Arc::new(config).into(),
            certificate,
        }))
    }

    pub(super) async fn accept(&self, stream: WriteTimeout) -> io::Result<TlsStream<WriteTimeout>> {
        self.acceptor.accept(stream).await
    }

    /// Reads the files again whenever they change. A certificate that cannot be used changes nothing.
    pub(super) async fn reload(self) {
        let Certificate { files, current } = &*self.certificate;
        let mut ticks = interval(RELOAD_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            ticks.tick().await;
            match files.load().await {
                Ok(loaded) => {
                    failed = false;
                    let mut current = current.write().unwrap_or_else(PoisonError::into_inner);
                    if loaded.cert != current.cert {
                        report_expiry(&loaded);
                        *current = Arc::new(loaded);
                        tracing::info!(file = %files.certificate.display(), "http: the certificate has changed");
                    }
                }
                // Not every time: a pair of files cannot be replaced at once.
                Err(error) if !failed => {
                    failed = true;
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "http: cannot read the certificate again, using the one before"
                    );
                }
                Err(_) => {}
            }
        }
    }
}

/// Sets the metric for the alert CertificateExpires: when the first certificate of the chain expires.
fn report_expiry(certificate: &CertifiedKey) {
    let expiries = certificate.cert.iter().filter_map(|der| {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let validity = certificate.tbs_certificate.validity;
        Some(validity.not_after.to_unix_duration().as_secs())
    });
    if let Some(first) = expiries.min() {
        metrics::gauge!("tls_certificate_expiry_timestamp_seconds").set(first as f64);
    }
}

#[derive(Debug)]
struct Certificate {
    files: Files,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// Errors: a file that cannot be read, or a certificate that does not belong to the key.
    async fn load(&self) -> anyhow::Result<CertifiedKey> {
        let read = async |file: &PathBuf, setting: &str| {
            let text = tokio::fs::read(file).await;
            text.with_context(|| format!("cannot read {} ({setting})", file.display()))
        };
        let certificates = read(&self.certificate, "TLS_CERT").await?;
        let certificates =
            CertificateDer::pem_slice_iter(&certificates).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.context("TLS_CERT is not a certificate in PEM")?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key, "TLS_KEY").await?);
        let key = key.context("TLS_KEY is not a private key in PEM")?;
        let provider = CryptoProvider::get_default().context("no crypto provider")?;
        CertifiedKey::from_der(certificates, key, provider)
            .context("TLS_CERT and TLS_KEY do not belong together")
    }
}
