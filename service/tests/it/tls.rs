//! HTTPS on the public listener.

use std::{fs, path::Path, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use feedmill_service::{HttpArgs, Shutdown, http, http::TlsArgs, telemetry};
use feedmill_tests::kit::{Certificates, TempFolder, wait_until_within};
use reqwest::Version;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::support::{Server, short_limits, start};

const TIMEOUT: Duration = Duration::from_secs(30);

fn args(files: &Certificates) -> HttpArgs {
    HttpArgs {
        tls: TlsArgs {
            tls_cert: Some(files.certificate.clone()),
            tls_key: Some(files.key.clone()),
        },
        ..short_limits()
    }
}

async fn server(args: HttpArgs) -> Server {
    let big = get(async || vec![0u8; 64 << 20]);
    let app = Router::new()
        .route("/", get(async || "hello"))
        .route("/big", big);
    start(app, args).await
}

/// A client that trusts this authority only.
fn client(ca: &Path) -> reqwest::Client {
    telemetry::install_crypto_provider();
    let ca = reqwest::Certificate::from_pem(&fs::read(ca).unwrap()).unwrap();
    let builder = reqwest::Client::builder().tls_certs_only([ca]);
    builder.pool_max_idle_per_host(0).build().unwrap()
}

async fn connect(server: &Server, ca: &Path) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect(name, server.connect().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn clients_speak_https_and_http_2() {
    let folder = TempFolder::new();
    let files = Certificates::create(folder.path());
    let server = server(args(&files)).await;
    let url = format!("https://{}/", server.address);
    let answer = client(&files.ca).get(&url).send().await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "hello");
    let mut http_1 = connect(&server, &files.ca).await;
    http_1
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    http_1.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
    assert!(
        client(&files.ca)
            .get(url.replace("https", "http"))
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let (folder, other) = (TempFolder::new(), TempFolder::new());
    let (files, new) = (
        Certificates::create(folder.path()),
        Certificates::create(other.path()),
    );
    let server = server(args(&files)).await;
    let url = format!("https://{}/", server.address);
    assert!(client(&new.ca).get(&url).send().await.is_err());
    // In between, the files do not belong together.
    fs::copy(&new.key, &files.key).unwrap();
    sleep(Duration::from_secs(6)).await;
    client(&files.ca).get(&url).send().await.unwrap();
    fs::copy(&new.certificate, &files.certificate).unwrap();
    wait_until_within("the new certificate", TIMEOUT, async || {
        client(&new.ca).get(&url).send().await.is_ok()
    })
    .await;
    assert!(client(&files.ca).get(&url).send().await.is_err());
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_at_the_start() {
    let (folder, other) = (TempFolder::new(), TempFolder::new());
    let (mut files, new) = (
        Certificates::create(folder.path()),
        Certificates::create(other.path()),
    );
    let refused = async |files: &Certificates| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let args = args(files);
        let served = http::serve(listener, Router::new(), &args, Shutdown::new());
        format!("{:#}", served.await.unwrap_err())
    };
    files.key = new.key;
    let error = refused(&files).await;
    assert!(
        error.contains("TLS_CERT and TLS_KEY do not belong together"),
        "{error}"
    );
    files.key = files.certificate.clone();
    let error = refused(&files).await;
    assert!(error.contains("TLS_KEY is not a private key"), "{error}");
    files.certificate = folder.path().join("nowhere.pem");
    let error = refused(&files).await;
    assert!(error.contains("nowhere.pem (TLS_CERT)"), "{error}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut_off() {
    let folder = TempFolder::new();
    let server = server(args(&Certificates::create(folder.path()))).await;
    let mut stream = server.connect().await;
    let mut rest = Vec::new();
    // After the header timeout.
    let closed = timeout(TIMEOUT, stream.read_to_end(&mut rest)).await;
    let _ = closed.expect("the connection stays open");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let folder = TempFolder::new();
    let files = Certificates::create(folder.path());
    let limits = HttpArgs {
        write_timeout: Duration::from_millis(500),
        ..args(&files)
    };
    let server = server(limits).await;
    let mut stream = connect(&server, &files.ca).await;
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_secs(2)).await;
    let mut read = Vec::new();
    let _ = timeout(TIMEOUT, stream.read_to_end(&mut read))
        .await
        .expect("an end");
    assert!(read.len() < 64 << 20, "{} bytes", read.len());
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_served() {
    let folder = TempFolder::new();
    let files = Certificates::create(folder.path());
    let limits = HttpArgs {
        write_timeout: Duration::from_millis(400),
        ..args(&files)
    };
    let server = server(limits).await;
    let mut stream = connect(&server, &files.ca).await;
    let request = b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    // Never as long as the timeout without reading, and much longer in all. Less at a time would not reach the server: its
    // peer's kernel announces room only when there is much of it.
    let mut part = vec![0; 4 << 20];
    for _ in 0..8 {
        sleep(Duration::from_millis(200)).await;
        stream.read_exact(&mut part).await.unwrap();
    }
    let mut rest = Vec::new();
    timeout(TIMEOUT, stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(8 * part.len() + rest.len() > 64 << 20);
}
