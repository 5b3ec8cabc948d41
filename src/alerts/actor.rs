//! The owner of the receivers and their queues.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix::prelude::*;
use tokio::sync::oneshot;
use transport::ClientCache;

use super::alert::{Alert, AlertFacts};
use super::body::body;
use super::delivery::deliver;
use super::messages::{AlertSender, FlushAlerts, GetReceivers};
use super::post::PostFailure;
use super::receiver::{MOST_WAITING, Outgoing, Receiver};
use crate::config::{AlertConfig, ConfigChanged, ReloadReported};
use crate::mailbox::{ActorKind, Context, LaterReply, LaunchActor, LivesInMailbox};
use crate::types::{AlertEvent, Now};

/// Tells receivers of events.
#[derive(Default)]
pub struct AlertsActor {
    /// The server's name.
    server: String,
    receivers: Vec<Receiver>,
    /// Of the next receiver.
    serial: u64,
    clients: Rc<ClientCache>,
    /// What a full mailbox has cost.
    lost: Arc<AtomicU64>,
    /// Waiters for empty queues.
    flushing: Vec<oneshot::Sender<()>>,
}

impl AlertsActor {
    /// Starts the actor on this arbiter, without receivers: the first [`ConfigChanged`] brings the receivers.
    pub fn start_on(arbiter: &ArbiterHandle) -> (Addr<AlertsActor>, AlertSender) {
        let lost: Arc<AtomicU64> = Arc::default();
        let counted = lost.clone();
        let actor = AlertsActor::launch_on(arbiter, move |_| AlertsActor { lost: counted, ..AlertsActor::default() });
        let sender = AlertSender::new(actor.clone().recipient(), lost);
        (actor, sender)
    }

    fn tell(&mut self, alert: &Alert, ctx: &mut Context<Self>) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            log::error!("{lost} alerts were dropped: too many came at once (actors.mailboxes.alerts)");
        }
        let raised_at = Now::read_mono();
        let mut written = None;
        for receiver in self.receivers.iter_mut().filter(|receiver| receiver.config.on.contains(&alert.event)) {
            let body = written.get_or_insert_with(|| body(alert, &self.server)).clone();
            if receiver.push(Outgoing { event: alert.event, body, raised_at }) {
                let shown = &receiver.config.shown;
                log::warn!("alerts to {shown}: the oldest was dropped, as {MOST_WAITING} wait");
            }
        }
        self.send_next(ctx);
    }

    /// Sends the next message to each receiver without one under way.
    fn send_next(&mut self, ctx: &mut Context<Self>) {
        let clients = self.clients.clone();
        for receiver in &mut self.receivers {
            let Some(message) = receiver.take() else { continue };
            let (config, serial, clients) = (receiver.config.clone(), receiver.serial, clients.clone());
            let actor = ctx.address();
            let delivery = async move {
                let failed = |failure: &PostFailure| actor.do_send(TryFailed { serial, why: failure.why.clone() });
                let delivered = deliver(&clients, (&config, serial), &message, failed).await;
                (message.event, delivered)
            };
            let delivery = actix::fut::wrap_future::<_, AlertsActor>(delivery);
            ctx.spawn(delivery.map(move |(event, delivered), actor, ctx| {
                actor.ended(serial, event, delivered.err());
                actor.send_next(ctx);
            }));
        }
        if self.receivers.iter().all(Receiver::is_idle) {
            // A dropped sender tells the waiter that all queues are empty.
            self.flushing.clear();
        }
    }

    fn ended(&mut self, serial: u64, event: AlertEvent, failure: Option<PostFailure>) {
        // The configuration may have another receiver by now.
        let Some(receiver) = self.receivers.iter_mut().find(|receiver| receiver.serial == serial) else { return };
        let (shown, event) = (receiver.config.shown.clone(), event.as_str());
        let is_healed = receiver.ended(failure.is_none());
        match failure {
            Some(PostFailure { why, .. }) => log::error!("alerts to {shown}: {event} was given up: {why}"),
            None if is_healed => log::info!("alerts to {shown}: delivered again"),
            None => log::debug!("alerts to {shown}: {event} was delivered"),
        }
    }

    fn adopt(&mut self, receivers: &[Arc<AlertConfig>]) {
        let mut before = std::mem::take(&mut self.receivers);
        for config in receivers {
            // An unchanged receiver keeps its queue. The messages of a removed receiver are dropped.
            let known = before.iter().position(|receiver| receiver.config == *config);
            let receiver = known.map(|nth| before.swap_remove(nth)).unwrap_or_else(|| {
                self.serial += 1;
                Receiver::new(config.clone(), self.serial)
            });
            self.receivers.push(receiver);
        }
    }
}

impl LivesInMailbox for AlertsActor {
    const KIND: ActorKind = ActorKind::Alerts;
}

impl Actor for AlertsActor {
    type Context = Context<Self>;
}

impl Handler<Alert> for AlertsActor {
    type Result = ();

    fn handle(&mut self, alert: Alert, ctx: &mut Self::Context) {
        self.tell(&alert, ctx);
    }
}

impl Handler<ConfigChanged> for AlertsActor {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, ctx: &mut Self::Context) {
        self.server.clone_from(&config.server.name);
        self.adopt(&config.alerts);
        self.send_next(ctx);
    }
}

impl Handler<ReloadReported> for AlertsActor {
    type Result = ();

    fn handle(&mut self, ReloadReported(error): ReloadReported, ctx: &mut Self::Context) {
        let event = if error.is_some() { AlertEvent::ReloadFailed } else { AlertEvent::ReloadOk };
        let facts = AlertFacts { detail: error, ..AlertFacts::default() };
        self.tell(&Alert::new(event, Now::read().wall, facts), ctx);
    }
}

impl Handler<GetReceivers> for AlertsActor {
    type Result = MessageResult<GetReceivers>;

    fn handle(&mut self, _: GetReceivers, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.receivers.iter().map(Receiver::report).collect())
    }
}

impl Handler<FlushAlerts> for AlertsActor {
    type Result = LaterReply<()>;

    fn handle(&mut self, _: FlushAlerts, _: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        if !self.receivers.iter().all(Receiver::is_idle) {
            self.flushing.push(sender);
        }
        LaterReply::of(async {
            let _ = receiver.await;
        })
    }
}

/// A try has failed. Sent by the delivery of this actor; a lost one costs a line of the log.
#[derive(Message)]
#[rtype(result = "()")]
struct TryFailed {
    serial: u64,
    why: String,
}

impl Handler<TryFailed> for AlertsActor {
    type Result = ();

    fn handle(&mut self, TryFailed { serial, why }: TryFailed, _: &mut Self::Context) {
        let Some(receiver) = self.receivers.iter_mut().find(|receiver| receiver.serial == serial) else { return };
        // Logged at the first failure in a row only.
        if receiver.failed(Now::read().wall, why.clone()) {
            log::warn!("alerts to {}: not delivered yet: {why}", receiver.config.shown);
        }
    }
}
