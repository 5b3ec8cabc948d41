//! The owner of sessions, of log-ins and of the audit log.

use std::path::Path;
use std::sync::Arc;

use actix::prelude::*;
use rand::RngCore;

use super::audit::{AuditEntry, AuditFile};
use super::messages::{
    CurrentSession, GetAudit, GetSession, LogIn, LogInByLink, LogInRefused, LogOut, MakeLink, Notify, TakeNotices,
    WriteAudit,
};
use super::notices::Notice;
use super::sessions::Sessions;
use super::tries::Tries;
use super::visitor::Visitor;
use crate::config::{ApiKey, Config, ConfigChanged};
use crate::mailbox::{ActorKind, Context, LaterReply, LaunchActor, LivesInMailbox, blocking};
use crate::types::Now;

/// Random bytes of a cookie, a form token and a link.
const SECRET_BYTES: usize = 32;

/// Owns who is logged in.
pub struct DashboardActor {
    config: Arc<Config>,
    sessions: Sessions,
    tries: Tries,
    audit: AuditFile,
    /// The link that logs in once, if there is one.
    link: Option<(String, ApiKey)>,
}

impl DashboardActor {
    /// Starts the actor on this arbiter. The audit log is in the data folder.
    pub fn start_on(arbiter: &ArbiterHandle, config: Arc<Config>, folder: &Path) -> Addr<DashboardActor> {
        let audit = AuditFile::of(folder);
        DashboardActor::launch_on(arbiter, move |_| DashboardActor {
            config,
            audit,
            sessions: Sessions::default(),
            tries: Tries::default(),
            link: None,
        })
    }

    fn rights_of(config: &Config, key: &ApiKey) -> Option<Visitor> {
        Visitor::of(config.owners.of(key.expose().trim().as_bytes())?, config)
    }

    /// Begins a session, if the key may anything. Returns the cookie's value.
    fn begin(&mut self, key: ApiKey) -> Option<String> {
        let visitor = DashboardActor::rights_of(&self.config, &key)?;
        log::info!("dashboard: {} logged in", visitor.name);
        let cookie = secret();
        self.sessions.begin(cookie.clone(), (key, visitor, secret()), Now::read_mono());
        Some(cookie)
    }
}

/// Returns 256 random bits.
fn secret() -> String {
    let mut bytes = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl LivesInMailbox for DashboardActor {
    const KIND: ActorKind = ActorKind::Dashboard;
}

impl Actor for DashboardActor {
    type Context = Context<Self>;
}

impl Handler<ConfigChanged> for DashboardActor {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, _: &mut Self::Context) {
        self.sessions.review(|key| DashboardActor::rights_of(&config, key));
        self.config = config;
    }
}

impl Handler<LogIn> for DashboardActor {
    type Result = Result<String, LogInRefused>;

    fn handle(&mut self, LogIn { key, from }: LogIn, _: &mut Self::Context) -> Self::Result {
        let now = Now::read_mono();
        let locked_until = self.tries.locked_until(from, now);
        let is_looked_at = locked_until.is_none() || Tries::always_admits_right_key(from);
        if let Some(cookie) = is_looked_at.then(|| self.begin(key)).flatten() {
            return Ok(cookie);
        }
        if let Some(until) = locked_until {
            return Err(LogInRefused::TooManyTries { seconds: (until - now).div_ceil(1_000) });
        }
        log::warn!("dashboard: a wrong key from {from}");
        self.tries.failed(from, now);
        Err(LogInRefused::WrongKey)
    }
}

impl Handler<MakeLink> for DashboardActor {
    type Result = String;

    fn handle(&mut self, MakeLink { key }: MakeLink, _: &mut Self::Context) -> String {
        let secret = secret();
        self.link = Some((secret.clone(), key));
        secret
    }
}

impl Handler<LogInByLink> for DashboardActor {
    type Result = Option<String>;

    fn handle(&mut self, LogInByLink { secret }: LogInByLink, _: &mut Self::Context) -> Option<String> {
        let (_, key) = self.link.take_if(|(right, _)| *right == secret)?;
        self.begin(key)
    }
}

impl Handler<GetSession> for DashboardActor {
    type Result = Option<CurrentSession>;

    fn handle(&mut self, GetSession { cookie, by_request }: GetSession, _: &mut Self::Context) -> Self::Result {
        let now = Now::read_mono();
        let session =
            if by_request { self.sessions.of_request(&cookie, now)? } else { self.sessions.peek(&cookie, now)? };
        Some(CurrentSession { visitor: session.visitor.clone(), form_token: session.form_token.clone() })
    }
}

impl Handler<LogOut> for DashboardActor {
    type Result = ();

    fn handle(&mut self, LogOut { cookie }: LogOut, _: &mut Self::Context) {
        self.sessions.end(&cookie);
    }
}

impl Handler<Notify> for DashboardActor {
    type Result = ();

    fn handle(&mut self, Notify { cookie, to, notice }: Notify, _: &mut Self::Context) {
        if let Some(session) = self.sessions.of_request(&cookie, Now::read_mono()) {
            session.notices.put(&to, notice);
        }
    }
}

impl Handler<TakeNotices> for DashboardActor {
    type Result = Vec<Notice>;

    fn handle(&mut self, TakeNotices { cookie, page }: TakeNotices, _: &mut Self::Context) -> Vec<Notice> {
        let session = self.sessions.of_request(&cookie, Now::read_mono());
        session.map(|session| session.notices.take(&page)).unwrap_or_default()
    }
}

impl Handler<WriteAudit> for DashboardActor {
    type Result = LaterReply<bool>;

    /// The disk may take some milliseconds, in which this thread admits requests.
    fn handle(&mut self, WriteAudit(entry): WriteAudit, _: &mut Self::Context) -> Self::Result {
        let file = self.audit.clone();
        LaterReply::of(async move {
            let written = blocking(move || file.append(&entry)).await;
            let failed = |why: &dyn std::fmt::Display| log::error!("dashboard: the audit log can't be written: {why}");
            match written {
                Ok(Ok(())) => true,
                Ok(Err(why)) => {
                    failed(&why);
                    false
                }
                Err(why) => {
                    failed(&why);
                    false
                }
            }
        })
    }
}

impl Handler<GetAudit> for DashboardActor {
    type Result = LaterReply<Vec<AuditEntry>>;

    fn handle(&mut self, GetAudit { most }: GetAudit, _: &mut Self::Context) -> Self::Result {
        let file = self.audit.clone();
        LaterReply::of(async move { blocking(move || file.last(most)).await.unwrap_or_default() })
    }
}
