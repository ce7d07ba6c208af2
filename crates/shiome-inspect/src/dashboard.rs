//! A page that shows all of it.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{Html, IntoResponse},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::{guard::Guard, inspect::Inspect};

const STYLE: &str = include_str!("dashboard/style.css");

/// One module, in parts.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("dashboard/page.js"),
    include_str!("dashboard/model.js"),
    include_str!("dashboard/graph.js"),
    include_str!("dashboard/sessions.js"),
    include_str!("dashboard/lists.js"),
    include_str!("dashboard/health.js"),
    include_str!("dashboard/feed.js"),
);

const BODY: &str = include_str!("dashboard/body.html");

impl Inspect {
    /// The dashboard: a page at `/` that shows the node and its cluster, and [what it reads](Self::router).
    ///
    /// All of it is behind the guard, but for its token: that is demanded by [what acts](Self::action_router) alone, and a
    /// guard without a token has a dashboard without anything that acts. Whoever is let in can read everything.
    ///
    /// The page can be mounted anywhere, at a path that ends with a slash. It loads nothing, runs nothing but its own
    /// script, and cannot be put into a frame.
    pub fn dashboard(&self, guard: Guard) -> Router {
        let (reading, acts) = guard.for_reading();
        let page = page(acts);
        let reads = self.router().route(
            "/",
            get(move || async move { (headers(), Html(page)).into_response() }),
        );
        let reads = reading.protect(reads);
        if acts {
            reads.merge(guard.protect(self.action_router()))
        } else {
            reads
        }
    }
}

fn page(acts: bool) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\" data-acts=\"{acts}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>shiome</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n{BODY}<script type=\"module\">{SCRIPT}</script>\n"
    )
}

/// What a browser is told of the page: that it needs nothing of elsewhere, and nobody else's script.
fn headers() -> [(HeaderName, HeaderValue); 5] {
    let of_own = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        of_own(SCRIPT),
        of_own(STYLE),
    );
    let policy = HeaderValue::try_from(policy).expect("words and base64 make a header");
    let fixed = HeaderValue::from_static;
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (header::X_FRAME_OPTIONS, fixed("DENY")),
        (header::CACHE_CONTROL, fixed("no-store")),
    ]
}
