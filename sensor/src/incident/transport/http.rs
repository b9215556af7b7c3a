//! `type = "http"`: a POST to a webhook.

use std::{sync::Arc, time::Duration};

use super::{Kind, Settings, shown_tls, template::Template, tls};
use crate::{
    config::{
        Headers, check_endpoint, check_header, format_duration,
        item::{Item, shown},
        reader::Table,
        set,
    },
    export::otlp::TlsConfig,
};

/// The type `http`.
pub static KIND: Kind = Kind {
    name: "http",
    number: 32,
    read,
};

#[derive(Debug, Clone)]
struct Webhook {
    url: String,
    headers: Headers,
    /// `None`: the whole incident as JSON.
    template: Option<Template>,
    timeout: Duration,
    tls: Option<TlsConfig>,
}

fn read(table: &mut Table<'_>) -> Arc<dyn Settings> {
    let url = table.require("url").and_then(|item| url(&item));
    let mut hook = Webhook {
        url: url.unwrap_or_default(),
        headers: Headers::default(),
        template: None,
        timeout: Duration::from_secs(10),
        tls: None,
    };
    if let Some(headers) = table.take("headers").and_then(|item| item.string_map()) {
        let checked = headers.into_iter().filter_map(|(item, name, value)| {
            let checked = check_header(&name, &value);
            checked.map_err(|message| item.fault(message)).ok()
        });
        hook.headers = Headers(checked.collect());
    }
    if let Some(item) = table.take("template") {
        let text = item.name();
        hook.template = text.and_then(|text| {
            let template = Template::parse(&text);
            template.map_err(|message| item.fault(message)).ok()
        });
    }
    set(&mut hook.timeout, table.take("timeout"), |item| {
        item.duration(Duration::from_millis(1)..=Duration::from_secs(600))
    });
    hook.tls = tls(table);
    Arc::new(hook)
}

fn url(item: &Item<'_>) -> Option<String> {
    let url = item.name()?;
    let checked = match url.contains("://") {
        true => check_endpoint(&url),
        false => Err(format!(
            "`{}` has no scheme; write it as https://host/path",
            shown(&url)
        )),
    };
    checked.map_err(|message| item.fault(message)).ok()?;
    Some(url)
}

impl Settings for Webhook {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        let names = self.headers.0.keys();
        let hidden = names.map(|name| (name.clone(), toml::Value::from("(hidden)")));
        let mut all = vec![
            ("url", self.url.clone().into()),
            ("headers", toml::Value::Table(hidden.collect())),
            ("timeout", format_duration(self.timeout).into()),
        ];
        if let Some(template) = &self.template {
            all.push(("template", template.text().into()));
        }
        if self.tls.is_some() {
            all.push(("tls", shown_tls(self.tls.as_ref())));
        }
        all
    }
}
