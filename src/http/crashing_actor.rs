//! An actor that panics on demand, for the tests of what watches over actors.

use actix::prelude::*;

pub(crate) struct CrashingActor;

impl Actor for CrashingActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Crash;

impl Handler<Crash> for CrashingActor {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("a defect, on purpose");
    }
}
