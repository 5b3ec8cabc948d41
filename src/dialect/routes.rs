//! The route table: a row for each method and path that is forwarded. The HTTP routes are made from it, and nothing else knows a path.
//!
//! - Here: the rows, and the requests that most clients make ([`ROUTES`]). They name a model in a JSON body.
//! - [`objects`]: the rows about objects that live on an account. Some have ids in the path.
//! - [`gemini`]: the rows of Gemini's API, with the model in the path.
//! - [`path`]: a path with ids, read and written.

pub(super) mod gemini;
pub(super) mod objects;
mod path;

use self::objects::{AGENT_ROUTES, ANTHROPIC_ROUTES, OBJECT_ROUTES, REALTIME_ROUTES};
use super::Dialect;
use super::anthropic::Anthropic;
use super::object_ids::{CHAT_IDS, MESSAGES_IDS, Needles, RESPONSES_IDS, SPEECH_IDS};
use super::openai::OpenAi;
use super::reply_kind::ReplyKind;
use crate::types::{BilledUnit, RouteId, WireFormat};

use self::gemini::GEMINI_ROUTES;
pub use self::gemini::{GeminiPath, USUAL_VERSION, VERSIONS, gemini_verbs};
pub use self::objects::passed_through;
pub use self::path::{CalledRoute, WrongId};

/// A row of the table.
#[derive(Debug)]
pub struct Route {
    /// The path below `/v1/`. The path upstream comes from here, never from what a client typed.
    pub id: RouteId,
    /// What kind of answer a success is.
    pub reply: ReplyKind,
    /// Whether the body may be a form (`multipart/form-data`) in place of JSON.
    pub takes_forms: bool,
    /// Whether the path itself asks for a stream. Elsewhere the body does.
    pub is_stream: bool,
    /// What is asked in a WebSocket, if one is served at this path, for `GET` with `Upgrade: websocket`.
    pub websocket: Option<SocketUse>,
    /// Where a body with `input` and without `messages` is meant to go. Cursor sends such a body to the wrong path.
    pub(crate) with_input: Option<&'static Route>,
    /// What the bytes of requests and answers mean.
    pub(crate) dialect: &'static dyn Dialect,
    /// Where the model stands.
    pub(crate) model: ModelPlace,
    /// What becomes of objects that live on one account.
    pub(crate) objects: ObjectRules,
    /// What an answer is billed by beside tokens, if by anything of its own.
    pub(crate) billed: Option<BilledUnit>,
}

impl Route {
    /// Returns whether a secret of a realtime session opens the row.
    pub fn takes_secrets(&self) -> bool {
        self.objects.secret == SecretUse::Taken
    }
}

/// Where the model of a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelPlace {
    /// In the body.
    Body,
    /// In the body, or nowhere: then any account may serve, first those with a likely model.
    BodyOrNowhere,
    /// In the body, or in its member `session`, or nowhere.
    BodyOrSession,
    /// In the query, or nowhere. The body is not looked at, and may be anything.
    QueryOrNowhere,
    /// Nowhere: any account may serve. A `model` in the body is not looked at.
    Nowhere,
    /// In the path.
    Path,
    /// Nobody knows: the body is not looked at, and may be anything. The configuration says which account serves.
    Unread,
}

/// What becomes of objects that live on one account. The default: nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObjectRules {
    /// Where the body names objects.
    pub(crate) names: Naming,
    /// An object is made. A request that names no object goes to the account of the client's session or key.
    pub(crate) makes: bool,
    /// The form is a file: the pool may keep the form, so that other accounts can be given the same file.
    pub(crate) is_file: bool,
    /// The object of the last id is gone afterwards.
    pub(crate) forgets: bool,
    /// The answer is the list of all accounts together.
    pub(crate) list: Option<ListOrder>,
    /// A model is run whose name the pool can't see: no key with `models` may ask for that.
    pub(crate) is_blind: bool,
    /// What a secret of a realtime session has to do with the row.
    pub(crate) secret: SecretUse,
}

/// What a secret of a realtime session (`ek_…`) has to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretUse {
    /// Nothing: a secret opens nothing here.
    Nothing,
    /// The answer has a new one.
    Made,
    /// One opens the row in the place of a key.
    Taken,
}

/// Where the body of a request names objects.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Naming {
    /// Nowhere, or where the dialect alone looks.
    Nowhere,
    /// Anywhere, if one of these words stands in the body.
    WhereFound(&'static Needles),
    /// Anywhere.
    Anywhere,
}

/// The order of a list, unless the client asks for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOrder {
    /// The oldest first.
    Ascending,
    /// The newest first.
    Descending,
}

impl ObjectRules {
    const NONE: ObjectRules = ObjectRules {
        names: Naming::Nowhere,
        makes: false,
        is_file: false,
        forgets: false,
        list: None,
        is_blind: false,
        secret: SecretUse::Nothing,
    };
}

/// What is spoken in a WebSocket.
#[derive(Debug)]
pub enum SocketUse {
    /// Requests, one after the other. The first one chooses the account.
    Turns(SocketTurns),
    /// Both sides speak at once. The upgrade chooses the account.
    Realtime(RealtimeUnit),
}

/// What counts as a request on a realtime connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RealtimeUnit {
    /// Each response.
    Response,
    /// The connection: there are no responses.
    Connection,
}

/// What is asked in a WebSocket: several requests in turn.
#[derive(Debug)]
pub struct SocketTurns {
    /// The type of the client's message that begins a request. The model stands in the message.
    pub(crate) creates: &'static str,
}

/// A route with a WebSocket.
#[derive(Debug, Clone, Copy)]
pub struct SocketRoute {
    /// The row.
    pub route: &'static Route,
    /// What is asked.
    pub turns: &'static SocketTurns,
}

/// The Responses API's.
const RESPONSES_TURNS: SocketTurns = SocketTurns { creates: "response.create" };

/// The models behind an image without a model.
const IMAGE_MODELS: &[&str] = &["gpt-image", "chatgpt-image", "dall-e"];

/// The routes that most clients ask for. What is asked most stands first.
pub static ROUTES: [Route; 13] = [
    Route { with_input: Some(&RESPONSES), ..named_by(&CHAT_IDS, route("chat/completions", ReplyKind::Chat)) },
    named_by(&MESSAGES_IDS, anthropic(RouteId::anthropic("messages"), ReplyKind::Messages)),
    route("completions", ReplyKind::Completion),
    route("embeddings", ReplyKind::Json),
    likely(&["omni-moderation", "text-moderation"], route("moderations", ReplyKind::Json)),
    responses(),
    images("images/generations"),
    in_forms(images("images/edits")),
    in_forms(images("images/variations")),
    billed_by(BilledUnit::Character, named_by(&SPEECH_IDS, route("audio/speech", ReplyKind::Bytes))),
    in_forms(billed_by(BilledUnit::AudioSecond, route("audio/transcriptions", ReplyKind::Transcript))),
    in_forms(billed_by(BilledUnit::AudioSecond, route("audio/translations", ReplyKind::Transcript))),
    named_by(&MESSAGES_IDS, anthropic(RouteId::anthropic("messages/count_tokens").free(), ReplyKind::Json)),
];

/// Returns every row, in the order of docs/api.md.
pub fn all_routes() -> impl Iterator<Item = &'static Route> {
    below_v1().chain(&GEMINI_ROUTES)
}

/// Returns the rows that are found by their path below `/v1/`. Those of Gemini's are found by [`GeminiPath`].
fn below_v1() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(OBJECT_ROUTES).chain(AGENT_ROUTES).chain(REALTIME_ROUTES).chain(ANTHROPIC_ROUTES)
}

/// Returns the format in which a client of this path speaks. All paths below one of Anthropic's are Anthropic's.
pub fn format_of(path: &str) -> WireFormat {
    if gemini::is_gemini(path) {
        return WireFormat::Gemini;
    }
    let below = path.strip_prefix("/v1/").unwrap_or_default();
    let is_below = |route: &&Route| {
        below.strip_prefix(route.id.path()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ROUTES.iter().filter(is_below).map(|route| route.id.format()).next().unwrap_or(WireFormat::OpenAi)
}

/// Returns the rows at a path below `/v1/`, for clients of this format. Where both formats have the path, the format decides.
pub fn routes_at(below: &str, format: WireFormat) -> impl Iterator<Item = &'static Route> {
    let at = move |route: &&'static Route| path::fits(route.id.path(), below);
    let has_format = below_v1().filter(at).any(move |route| route.id.format() == format);
    below_v1().filter(at).filter(move |route| !has_format || route.id.format() == format)
}

/// Returns whether any row is at this path below `/v1/`.
pub fn is_route(below: &str) -> bool {
    below_v1().any(|route| path::fits(route.id.path(), below))
}

/// Returns whether a secret of a realtime session opens a row at this path below `/v1/`.
pub fn takes_secrets(below: &str) -> bool {
    REALTIME_ROUTES.iter().filter(|route| route.takes_secrets()).any(|route| route.id.path() == below)
}

/// Returns the route of a chat in a format.
pub fn chat_route(format: WireFormat) -> Option<&'static Route> {
    let path = format.usual_path();
    let usual = ROUTES.iter().find(|route| route.id.is_at(path) && route.id.format() == format);
    usual.or_else(|| gemini::chat_route(format))
}

/// The same row as in the table.
static RESPONSES: Route = responses();

const fn responses() -> Route {
    Route {
        websocket: Some(SocketUse::Turns(RESPONSES_TURNS)),
        ..named_by(&RESPONSES_IDS, route("responses", ReplyKind::Responses))
    }
}

const fn route(path: &'static str, reply: ReplyKind) -> Route {
    Route {
        id: RouteId::new(path),
        reply,
        takes_forms: false,
        is_stream: false,
        websocket: None,
        with_input: None,
        dialect: &OpenAi,
        model: ModelPlace::Body,
        objects: ObjectRules::NONE,
        billed: None,
    }
}

const fn anthropic(id: RouteId, reply: ReplyKind) -> Route {
    Route { id, dialect: &Anthropic, ..route("", reply) }
}

const fn images(path: &'static str) -> Route {
    billed_by(BilledUnit::Image, likely(IMAGE_MODELS, route(path, ReplyKind::Json)))
}

/// The same row, whose answers are billed by this unit.
const fn billed_by(unit: BilledUnit, route: Route) -> Route {
    Route { billed: Some(unit), ..route }
}

/// The same row, whose body may be a form.
const fn in_forms(route: Route) -> Route {
    Route { takes_forms: true, ..route }
}

/// The same row, with these words in bodies that name objects.
const fn named_by(needles: &'static Needles, route: Route) -> Route {
    Route { objects: ObjectRules { names: Naming::WhereFound(needles), ..route.objects }, ..route }
}

/// The same row, where the model may be missing, and then is likely to be one of these.
const fn likely(models: &'static [&'static str], route: Route) -> Route {
    Route { id: route.id.likely(models), model: ModelPlace::BodyOrNowhere, ..route }
}

/// A route with this kind of answer.
#[cfg(test)]
pub(crate) fn any(kind: ReplyKind) -> &'static Route {
    all_routes().find(|route| route.reply == kind).expect("each kind has a route")
}
