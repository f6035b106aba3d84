//! A certificate authority of a test's own, and a certificate of 127.0.0.1 and localhost.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

/// Files, in PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The certificate of the authority.
    pub ca: PathBuf,
    /// The server's certificate and its key.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// New ones, in this folder.
    pub fn create(folder: &Path) -> Self {
        Self::create_with(folder, |_| {})
    }

    /// New ones, in this folder, of which the server's expires soon.
    pub fn create_expiring(folder: &Path, left: Duration) -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let expiry = date_time_ymd(1970, 1, 1) + since_1970.expect("a clock") + left;
        Self::create_with(folder, |server| server.not_after = expiry)
    }

    fn create_with(folder: &Path, change: impl FnOnce(&mut CertificateParams)) -> Self {
        fs::create_dir_all(folder).expect("the folder of the certificates");
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = (DnType::CommonName, "Feedmill test authority");
        authority.distinguished_name.push(name.0, name.1);
        let ca_key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(authority, ca_key).expect("an authority");
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut server = CertificateParams::new(names).expect("the server's names");
        change(&mut server);
        let server_key = KeyPair::generate().expect("a key");
        let server = server.signed_by(&server_key, &issuer);
        let write = |name: &str, pem: String| {
            let path = folder.join(name);
            fs::write(&path, pem).expect("a file in PEM");
            path
        };
        Self {
            ca: write("ca.pem", issuer.pem()),
            certificate: write("server.pem", server.expect("a certificate").pem()),
            key: write("server.key", server_key.serialize_pem()),
        }
    }
}
