//! A store that hangs costs a batch one deadline, and what it says later is heard by nobody.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quota::{GrantRequest, QuotaRecord, Units};

use super::redis_link::{DEADLINE, PAUSE};
use super::{Ask, GrantResult, RedisHomes, RedisStore, SharedBackend, SharedHomes};
use crate::types::{LedgerId, Limits, ObjectKey, QuotaId};

/// So many commands that a deadline for each would be noticed.
const MANY: usize = 40;

/// The commands of a new connection for quotas: `INFO`, `SCRIPT LOAD` and the greeting.
const GREETING: usize = 3;

/// How a connection behaves.
#[derive(Clone, Copy)]
enum Behaviour {
    Answers,
    /// Answers so many commands. The other answers come when there is another connection.
    HangsAfter(usize),
    /// Answers after this time each.
    Slow(Duration),
}

/// Some answers come within the deadline, and all of a batch do not.
const SLOWLY: Behaviour = Behaviour::Slow(Duration::from_millis(100));

/// Starts a store on a free port, and returns the URL. Connections behave as listed, later ones like the last.
fn store(behaviours: &'static [Behaviour]) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let late = Arc::<Mutex<Vec<(TcpStream, String)>>>::default();
        for (i, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            for (mut before, answer) in late.lock().expect("whole").drain(..) {
                // A client that hung up hears nothing.
                let _ = before.write_all(answer.as_bytes());
            }
            let behaviour = behaviours.get(i).or(behaviours.last()).copied().expect("one at least");
            let late = late.clone();
            std::thread::spawn(move || serve(&stream, i, behaviour, &late));
        }
    });
    url
}

fn serve(stream: &TcpStream, connection: usize, behaviour: Behaviour, late: &Mutex<Vec<(TcpStream, String)>>) {
    let mut commands = BufReader::new(stream.try_clone().expect("cloned"));
    let mut writer = stream.try_clone().expect("cloned");
    let mut count = 0;
    while let Some(name) = read_command(&mut commands) {
        count += 1;
        let answer = answer(&name, connection);
        match behaviour {
            Behaviour::HangsAfter(most) if count > most => {
                late.lock().expect("whole").push((writer.try_clone().expect("cloned"), answer));
                continue;
            }
            Behaviour::Slow(each) => std::thread::sleep(each),
            Behaviour::HangsAfter(_) | Behaviour::Answers => {}
        }
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads a command, and returns the name.
fn read_command(from: &mut impl BufRead) -> Option<String> {
    let number = |from: &mut dyn BufRead| -> Option<usize> {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.get(1..)?.trim().parse().ok()
    };
    let mut words = Vec::new();
    for _ in 0..number(from)? {
        let mut word = vec![0; number(from)? + 2];
        from.read_exact(&mut word).ok()?;
        words.push(String::from_utf8_lossy(&word).trim().to_owned());
    }
    words.into_iter().next()
}

/// Returns the answer to a command. A grant has as many units as the number of the connection.
fn answer(command: &str, connection: usize) -> String {
    let text = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    match command {
        "INFO" => text("run_id:1"),
        "SCRIPT" => text("digest"),
        "EVAL" => text("epoch"),
        "EVALSHA" => {
            let granted = format!(r#""granted":{{"r":{connection},"t":0,"c":0}}"#);
            text(&format!(r#"{{"now":1,"epoch":"epoch","serial":1,{granted},"others":{{"r":[0,0],"t":[0,0]}}}}"#))
        }
        "HGETALL" => "*0\r\n".to_owned(),
        "GET" => "$-1\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    }
}

fn asks() -> Vec<Ask> {
    let units = Units { requests: 50, tokens: 0, slots: 0 };
    let request = GrantRequest {
        limits: Limits::default(),
        record: QuotaRecord::default(),
        wanted: units,
        needed: units,
        slots: 0,
        may_wait: false,
    };
    let ask = |i: usize| Ask {
        id: QuotaId::of_group(&format!("group {i}").into()),
        request: request.clone(),
        remembered: None,
    };
    (0..MANY).map(ask).collect()
}

/// Returns the granted requests of each ask, nothing for a failed one.
fn granted(results: &[GrantResult]) -> Vec<Option<u64>> {
    results.iter().map(|result| result.as_ref().ok().map(|grant| grant.units.requests)).collect()
}

/// Does something that has to take one deadline, far from one for each command.
#[track_caller]
fn in_one_deadline<T>(run: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = run();
    let took = began.elapsed();
    assert!(took < DEADLINE * 3, "one deadline is {DEADLINE:?}, and it took {took:?}");
    result
}

/// Asks until the pause after a failure is over.
fn after_the_pause(store: &RedisStore) -> Vec<Option<u64>> {
    let ends = Instant::now() + PAUSE * 10;
    loop {
        let results = granted(&store.grant(&asks()));
        if results.iter().any(Option::is_some) || Instant::now() > ends {
            return results;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A store whose first connection is for the ledgers. The second one hangs, and the third answers.
fn hangs_for_quotas(behaviours: &'static [Behaviour]) {
    let store = RedisStore::new(&store(behaviours), "t").expect("a URL");
    store.ledgers(&[]).expect("the ledgers are known");
    assert_eq!(in_one_deadline(|| granted(&store.grant(&asks()))), vec![None; MANY], "nothing is granted");
    assert_eq!(in_one_deadline(|| granted(&store.grant(&asks()))), vec![None; MANY], "nor in the pause");
    assert_eq!(after_the_pause(&store), vec![Some(2); MANY], "all of it is from the third connection");
}

#[test]
fn a_store_that_accepts_and_never_answers_costs_all_quotas_one_deadline() {
    hangs_for_quotas(&[Behaviour::Answers, Behaviour::HangsAfter(0), Behaviour::Answers]);
}

#[test]
fn a_store_that_hangs_while_it_is_asked_for_units_costs_all_quotas_one_deadline() {
    hangs_for_quotas(&[Behaviour::Answers, Behaviour::HangsAfter(GREETING), Behaviour::Answers]);
}

#[test]
fn what_a_store_answers_after_a_hang_is_heard_by_nobody() {
    hangs_for_quotas(&[Behaviour::Answers, Behaviour::HangsAfter(GREETING + 1), Behaviour::Answers]);
}

#[test]
fn answers_that_come_slowly_share_a_deadline() {
    hangs_for_quotas(&[Behaviour::Answers, SLOWLY, Behaviour::Answers]);
}

#[test]
fn a_hanging_store_costs_the_ledgers_one_deadline() {
    let ledgers: Vec<_> = (0..MANY).map(|i| (LedgerId::from(format!("l{i}").as_str()), <_>::default())).collect();
    for behaviours in [&[Behaviour::HangsAfter(0)], &[Behaviour::HangsAfter(1)]] {
        let store = RedisStore::new(&store(behaviours), "t").expect("a URL");
        assert!(in_one_deadline(|| store.ledgers(&ledgers)).is_err());
    }
}

#[test]
fn a_hanging_store_costs_the_homes_one_deadline() {
    let homes: Vec<_> = (0..MANY).map(|i| (ObjectKey::of_id(&i.to_string()), LedgerId::from("l"))).collect();
    for behaviours in [&[Behaviour::HangsAfter(0)], &[Behaviour::HangsAfter(1)], &[SLOWLY]] {
        for database in ["", "/3"] {
            let store = RedisHomes::new(&format!("{}{database}", store(behaviours)), "t").expect("a URL");
            assert!(in_one_deadline(|| store.keep(&homes)).is_err());
            assert!(in_one_deadline(|| store.find(&[])).is_ok(), "nothing is asked");
        }
    }
}
