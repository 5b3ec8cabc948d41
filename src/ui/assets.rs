//! The files of the pages, as parts of the program: a style sheet, a module, a picture.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

static ASSETS: [Asset; 3] = [
    Asset { name: "style.css", kind: "text/css; charset=utf-8", content: include_str!("assets/style.css") },
    Asset { name: "page.js", kind: "text/javascript; charset=utf-8", content: include_str!("assets/page.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", content: include_str!("assets/icon.svg") },
];

/// Returns the address of a file. Another content has another address, so browsers may keep each for ever.
pub(super) fn asset(name: &str) -> String {
    let content = ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.content);
    format!("/ui/assets/{name}?v={:08x}", crc32fast::hash(content.as_bytes()))
}

pub(super) fn serve(request: &HttpRequest) -> HttpResponse {
    let name = request.match_info().get("name");
    match ASSETS.iter().find(|asset| name == Some(asset.name)) {
        Some(asset) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, asset.kind))
            .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .body(asset.content),
        None => HttpResponse::NotFound().finish(),
    }
}
