//! The execution context of our actors: actix's own, and a count of what waits.

use actix::dev::channel::{AddressReceiver, channel};
use actix::dev::{
    AsyncContextParts, ContextFut, ContextParts, Envelope, EnvelopeProxy, Mailbox, MessageResponse, OneshotSender,
    ToEnvelope,
};
use actix::{
    Actor, ActorContext, ActorFuture, ActorState, Addr, ArbiterHandle, AsyncContext, Handler, Message, SpawnHandle,
};
use tokio::sync::oneshot;

use super::gauge::{MailboxPlace, in_force};
use super::kind::ActorKind;
use super::tasks::spawn;

/// The capacity of a mailbox before its first message.
const AT_FIRST: usize = 16;

/// An actor with a counted mailbox.
pub trait LivesInMailbox: Actor<Context = Context<Self>> {
    /// Whose mailbox it is.
    const KIND: ActorKind;
}

/// Starts actors with counted mailboxes.
pub trait LaunchActor: LivesInMailbox {
    /// Starts this actor on the current arbiter.
    fn launch(self) -> Addr<Self> {
        Self::launch_with(|_| self)
    }

    /// Starts the actor that `create` makes, on the current arbiter.
    fn launch_with(create: impl FnOnce(&mut Context<Self>) -> Self) -> Addr<Self> {
        let (sender, receiver) = channel(AT_FIRST);
        Context::run(receiver, create);
        Addr::new(sender)
    }

    /// Starts the actor that `create` makes, on this arbiter.
    fn launch_on(
        arbiter: &ArbiterHandle,
        create: impl FnOnce(&mut Context<Self>) -> Self + Send + 'static,
    ) -> Addr<Self> {
        let (sender, receiver) = channel(AT_FIRST);
        arbiter.spawn_fn(move || Context::run(receiver, create));
        Addr::new(sender)
    }
}

impl<A: LivesInMailbox> LaunchActor for A {}

/// What an actor runs in.
#[derive(Debug)]
pub struct Context<A: Actor<Context = Context<A>>> {
    parts: ContextParts<A>,
    /// As last set.
    capacity: usize,
    /// This actor sets the capacity itself.
    is_own: bool,
}

impl<A: LivesInMailbox> Context<A> {
    fn run(receiver: AddressReceiver<A>, create: impl FnOnce(&mut Context<A>) -> A) {
        let mailbox = Mailbox::new(receiver);
        let mut context = Context { parts: ContextParts::new(mailbox.sender_producer()), capacity: 0, is_own: false };
        context.take_up_capacity();
        let actor = create(&mut context);
        spawn(ContextFut::new(context, actor, mailbox));
    }

    /// Sets how many messages this mailbox takes, whatever others of the kind do.
    pub fn set_mailbox_capacity(&mut self, capacity: usize) {
        (self.capacity, self.is_own) = (capacity, true);
        self.parts.set_mailbox_capacity(capacity);
    }

    /// Takes up the capacity that is in force now.
    fn take_up_capacity(&mut self) {
        let capacity = in_force(A::KIND);
        if self.capacity != capacity && !self.is_own {
            self.capacity = capacity;
            self.parts.set_mailbox_capacity(capacity);
        }
    }
}

impl<A: Actor<Context = Self>> ActorContext for Context<A> {
    fn stop(&mut self) {
        self.parts.stop();
    }

    fn terminate(&mut self) {
        self.parts.terminate();
    }

    fn state(&self) -> ActorState {
        self.parts.state()
    }
}

impl<A: Actor<Context = Self>> AsyncContext<A> for Context<A> {
    fn address(&self) -> Addr<A> {
        self.parts.address()
    }

    fn spawn<F: ActorFuture<A, Output = ()> + 'static>(&mut self, future: F) -> SpawnHandle {
        self.parts.spawn(future)
    }

    fn wait<F: ActorFuture<A, Output = ()> + 'static>(&mut self, future: F) {
        self.parts.wait(future);
    }

    fn waiting(&self) -> bool {
        self.parts.waiting()
    }

    fn cancel_future(&mut self, handle: SpawnHandle) -> bool {
        self.parts.cancel_future(handle)
    }
}

impl<A: Actor<Context = Self>> AsyncContextParts<A> for Context<A> {
    fn parts(&mut self) -> &mut ContextParts<A> {
        &mut self.parts
    }
}

impl<A, M> ToEnvelope<A, M> for Context<A>
where
    A: LivesInMailbox + Handler<M>,
    M: Message<Result: Send> + Send + 'static,
{
    fn pack(message: M, reply: Option<oneshot::Sender<M::Result>>) -> Envelope<A> {
        Envelope::with_proxy(Box::new(Counted { message: Some((message, MailboxPlace::take(A::KIND))), reply }))
    }
}

/// A message in a mailbox.
struct Counted<M: Message> {
    message: Option<(M, MailboxPlace)>,
    reply: Option<OneshotSender<M::Result>>,
}

impl<A, M> EnvelopeProxy<A> for Counted<M>
where
    A: LivesInMailbox + Handler<M>,
    M: Message<Result: Send> + Send + 'static,
{
    fn handle(&mut self, actor: &mut A, context: &mut Context<A>) {
        context.take_up_capacity();
        let reply = self.reply.take();
        // As actix does: nobody waits for the reply any more.
        if reply.as_ref().is_some_and(OneshotSender::is_closed) {
            return;
        }
        if let Some((message, place)) = self.message.take() {
            drop(place);
            <A as Handler<M>>::handle(actor, message, context).handle(context, reply);
        }
    }
}
