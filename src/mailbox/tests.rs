//! Mailboxes of an actor of the tests' own. Other tests use the same kind at the same time, so a count may be larger than here.

use actix::prelude::{Actor, Handler, Message, SendError, System};
use tokio::sync::oneshot;

use super::*;

struct Sleeper;

impl Actor for Sleeper {
    type Context = Context<Self>;
}

impl LivesInMailbox for Sleeper {
    const KIND: ActorKind = ActorKind::Discovery;
}

struct Nap(oneshot::Sender<()>);

impl Message for Nap {
    type Result = ();
}

impl Handler<Nap> for Sleeper {
    type Result = ();

    fn handle(&mut self, Nap(woken): Nap, _: &mut Self::Context) {
        let _ = woken.send(());
    }
}

fn report() -> MailboxReport {
    mailbox_reports().into_iter().find(|report| report.kind == Sleeper::KIND).expect("each kind has a report")
}

#[test]
fn a_message_counts_until_its_handler_begins_and_a_full_mailbox_refuses() {
    System::new().block_on(async {
        set_capacity(Sleeper::KIND, Some(2));
        let sleeper = Sleeper.launch();
        let before = report();
        let mut answers = Vec::new();
        let mut try_send = || {
            let (sender, receiver) = oneshot::channel();
            answers.push(receiver);
            sleeper.try_send(Nap(sender))
        };
        // The actor has had no turn yet.
        assert!(try_send().is_ok() && try_send().is_ok());
        assert!(report().depth >= before.depth + 2 && report().deepest >= 2);
        let full = std::iter::from_fn(|| Some(try_send())).take(10).any(|sent| matches!(sent, Err(SendError::Full(_))));
        assert!(full, "of ten more, one finds no room");
        refused(Sleeper::KIND, 1);
        assert_eq!(report().refused, before.refused + 1);
        for answer in answers {
            // Those without room are dropped unanswered.
            let _ = answer.await;
        }
        assert_eq!((report().depth, report().capacity), (before.depth, Some(2)));
        set_capacity(Sleeper::KIND, None);
        assert_eq!(report().capacity, Some(Sleeper::KIND.usual_capacity()));
    });
}

#[test]
fn kinds_stand_in_the_table_by_their_number() {
    for (place, kind) in ActorKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, place, "{}", kind.as_str());
        assert_eq!(kind.when_full() == WhenFull::Never, report_of(kind).capacity.is_none(), "{}", kind.as_str());
    }
}

fn report_of(kind: ActorKind) -> MailboxReport {
    mailbox_reports().into_iter().find(|report| report.kind == kind).expect("each kind has a report")
}
