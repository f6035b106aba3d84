//! A window of a browser with a page of the console.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use fantoccini::{Client, ClientBuilder, Locator, key::Key};
use feedmill_tests::{
    client::http,
    kit::{Browser, setting, wait_until_within},
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// Until a page shows what was done. A rebuild takes some seconds.
const TIMEOUT: Duration = Duration::from_mins(1);
const WIDTH: u32 = 1280;

/// What is wrong with the page: text whose contrast is below 4.5, fields without labels, tables without captions or scopes, images
/// without names, ids that are there twice, and more or fewer headings of the first level than one.
const ACCESSIBILITY: &str = r#"
const wrong = [];
const channels = color => color.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const background = element => {
    for (let it = element; it; it = it.parentElement) {
        const color = channels(getComputedStyle(it).backgroundColor);
        if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
};
for (const element of document.body.querySelectorAll("*")) {
    const hasText = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!hasText || !element.checkVisibility() || element.closest(".unseen, .skip")) continue;
    const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(background(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(2)}: ${element.textContent.trim().slice(0, 40)}`);
}
for (const field of document.querySelectorAll("input:not([type=hidden]):not([hidden]), select")) {
    if (field.labels.length === 0) wrong.push(`no label: ${field.name}`);
}
for (const table of document.querySelectorAll("table")) {
    // What an image consists of is not read out.
    if (table.closest("[role=img]")) continue;
    if (!table.caption) wrong.push("a table without a caption");
    for (const cell of table.querySelectorAll("th:not([scope])")) wrong.push(`no scope: ${cell.textContent}`);
}
for (const image of document.querySelectorAll("img, [role=img]")) {
    if (!image.alt && !image.getAttribute("aria-label")) wrong.push("an image without a name");
}
const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
for (const id of ids.filter((id, n) => ids.indexOf(id) < n)) wrong.push(`id ${id} is there twice`);
if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
for (const landmark of ["header", "main", "footer"]) {
    if (!document.querySelector(landmark)) wrong.push(`no ${landmark}`);
}
return wrong;
"#;

pub struct Window {
    pub client: Client,
    /// The session's URL at the driver.
    session: String,
    /// Of the console.
    origin: String,
    shots: usize,
}

impl Window {
    pub async fn open(browser: &Browser, origin: &str) -> Self {
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(browser.capabilities())
            .connect(&browser.driver)
            .await
            .expect("a session of the browser");
        client.set_window_size(WIDTH, 900).await.expect("a size");
        let id = client
            .session_id()
            .await
            .expect("a session")
            .expect("its id");
        Self {
            client,
            session: format!("{}/session/{id}", browser.driver),
            origin: origin.to_owned(),
            shots: 0,
        }
    }

    pub async fn sign_in(&self, token: &str) {
        self.goto("/console").await;
        self.fill("token", token).await;
        self.press("Sign in").await;
        self.shows("Signed in as").await;
    }

    pub async fn goto(&self, path: &str) {
        self.client
            .goto(&format!("{}{path}", self.origin))
            .await
            .expect(path);
    }

    /// The path of the page.
    pub async fn path(&self) -> String {
        self.client
            .current_url()
            .await
            .expect("a URL")
            .path()
            .to_owned()
    }

    /// The text that the page shows.
    pub async fn text(&self) -> String {
        let script = "return document.body.innerText";
        let text = self.client.execute(script, vec![]).await.expect("the text");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows a text, refreshing by itself.
    pub async fn shows(&self, text: &str) {
        wait_until_within(&format!("the page shows {text:?}"), TIMEOUT, async || {
            self.text().await.contains(text)
        })
        .await;
    }

    /// Presses the button, or follows the link, with this text. A part of the page that is refreshed may have it.
    pub async fn press(&self, text: &str) {
        let path =
            format!("//*[self::a or self::button][starts-with(normalize-space(.), {text:?})]");
        wait_until_within(
            &format!("{text:?} can be pressed"),
            TIMEOUT,
            async || match self.client.find(Locator::XPath(&path)).await {
                Ok(found) => found.click().await.is_ok(),
                Err(_) => false,
            },
        )
        .await;
    }

    pub async fn fill(&self, field: &str, text: &str) {
        let found = self.client.find(Locator::Id(field)).await.expect(field);
        found.clear().await.expect(field);
        found.send_keys(text).await.expect(field);
    }

    /// Presses keys wherever the focus is.
    pub async fn keys(&self, keys: &[Key]) {
        for key in keys {
            let focused = self.client.active_element().await.expect("a focus");
            focused
                .send_keys(&char::from(*key).to_string())
                .await
                .expect("a key");
        }
    }

    /// The text of what has the focus, or its id.
    pub async fn focus(&self) -> String {
        let script = "const it = document.activeElement; return it.innerText.trim() || it.id";
        let text = self
            .client
            .execute(script, vec![])
            .await
            .expect("the focus");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// What the browser has logged since the last call: errors of scripts, and violations of the page's policy.
    pub async fn logged(&self) -> Vec<Value> {
        let entries = self.command("se/log", json!({"type": "browser"})).await;
        entries.as_array().cloned().unwrap_or_default()
    }

    /// Checks that the page is accessible, in both colour schemes. Saves pictures of it to the folder `CONSOLE_SCREENSHOTS`, if that is set.
    pub async fn picture(&mut self, name: &str) {
        self.shots += 1;
        self.devtools("Emulation.setScrollbarsHidden", json!({"hidden": true}))
            .await;
        for scheme in ["light", "dark"] {
            let feature = json!({"name": "prefers-color-scheme", "value": scheme});
            self.devtools("Emulation.setEmulatedMedia", json!({"features": [feature]}))
                .await;
            let found = self
                .client
                .execute(ACCESSIBILITY, vec![])
                .await
                .expect("a list");
            assert_eq!(found, json!([]), "{name}, {scheme}");
            let Some(folder) = setting("CONSOLE_SCREENSHOTS") else {
                continue;
            };
            tokio::time::sleep(Duration::from_millis(300)).await;
            let options = json!({"captureBeyondViewport": true, "format": "png"});
            let picture = self.devtools("Page.captureScreenshot", options).await;
            let picture = BASE64_STANDARD.decode(picture["data"].as_str().expect("a picture"));
            let file = format!("{folder}/{:02}-{name}-{scheme}.png", self.shots);
            std::fs::write(&file, picture.expect("base64")).expect(&file);
        }
    }

    async fn devtools(&self, command: &str, params: Value) -> Value {
        self.command(
            "goog/cdp/execute",
            json!({"cmd": command, "params": params}),
        )
        .await
    }

    /// A command of the driver that is its own.
    async fn command(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/{path}", self.session);
        let answer = http().post(url).json(&body).send().await.expect(path);
        let answer: Value = answer.json().await.expect("JSON");
        answer["value"].clone()
    }
}
