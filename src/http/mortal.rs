//! An actor that dies when it is told to, for the tests of those who watch over actors.

use actix::prelude::*;

pub(crate) struct Mortal;

impl Actor for Mortal {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Die;

impl Handler<Die> for Mortal {
    type Result = ();

    fn handle(&mut self, _: Die, _: &mut Self::Context) {
        panic!("a defect, on purpose");
    }
}
