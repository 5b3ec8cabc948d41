//! Waits: what is told holds, what is a guess is put to the test, and one at a time finds out.

use super::*;
use crate::types::Phase;

fn at(mono: u64) -> Now {
    Now { mono, wall: 0 }
}

fn limited(told: Option<u64>, limit: Option<LimitSpan>) -> Failure {
    let failure = Failure::new(FailureClass::RateLimited, Phase::Head, "");
    Failure { retry_after: told.map(Duration::from_secs), limit, ..failure }
}

#[test]
fn a_spike_rests_a_second_and_a_told_time_is_kept() {
    let mut cooldown = Cooldown::default();
    let mut rest = |told, is_probe, now| {
        let probe = if is_probe { cooldown.enter(at(now)) } else { None };
        cooldown.failure((&limited(told, None), probe), u64::MAX, at(now))
    };
    assert_eq!((rest(None, false, 0), rest(None, false, 9)), (Some(1_000), Some(1_000)), "one spike");
    assert_eq!(rest(None, false, 1_009), Some(1_000), "even if its refusals come apart");
    assert_eq!((rest(None, true, 2_009), rest(None, true, 2_010)), (Some(2_000), Some(4_000)), "each probe");
    assert_eq!(rest(Some(7), true, 2_010), Some(7_000));
    assert_eq!(rest(Some(86_400), true, 2_010), Some(3_600_000), "a probe an hour");
    assert!(cooldown.check(at(3_602_009)).is_err() && cooldown.check(at(3_602_010)).is_ok());
    let probe = cooldown.enter(at(3_602_010)).expect("a probe");
    cooldown.success(probe, at(3_602_010));
    assert_eq!(cooldown.failure((&limited(None, None), None), u64::MAX, at(3_602_011)), Some(1_000), "it begins anew");
}

#[test]
fn a_days_limit_rests_until_the_day_ends_and_a_minutes_no_longer_than_that() {
    let rest =
        |told, limit, day_ends| Cooldown::default().failure((&limited(told, Some(limit)), None), day_ends, at(1_000));
    assert_eq!(rest(Some(34), LimitSpan::Day, 901_000), Some(900_000));
    assert_eq!(rest(None, LimitSpan::Day, 80_000_000), Some(3_600_000), "a probe an hour");
    assert_eq!(rest(Some(86_400), LimitSpan::Minute, 80_000_000), Some(60_000), "never a day for a spike");
    assert_eq!(rest(Some(7), LimitSpan::Minute, 80_000_000), Some(7_000));
}

#[test]
fn one_probe_decides_after_a_wait() {
    let mut cooldown = Cooldown::default();
    assert_eq!(cooldown.enter(at(0)), None, "without a wait nothing is a probe");
    cooldown.failure((&limited(Some(10), None), None), u64::MAX, at(0));
    assert_eq!((cooldown.check(at(10_000)), cooldown.enter(at(10_000))), (Ok(()), Some(1)));
    assert!(cooldown.check(at(10_001)).is_err(), "only one");
    cooldown.probe_lost(1);
    assert_eq!((cooldown.check(at(10_002)), cooldown.enter(at(10_002))), (Ok(()), Some(1)), "a lost one is replaced");
    cooldown.success(1, at(10_003));
    assert_eq!((cooldown.check(at(10_004)), cooldown.enter(at(10_004))), (Ok(()), None));
}

#[test]
fn a_wait_that_is_a_guess_is_put_to_the_test_if_nobody_else_is_left() {
    let waits = |failure: &Failure| {
        let mut cooldown = Cooldown::default();
        for _ in 0..9 {
            let probe = cooldown.enter(at(5));
            cooldown.failure((failure, probe), 80_000_000, at(5));
        }
        cooldown
    };
    let mut untold = waits(&limited(None, None));
    assert!(!untold.may_be_the_last(at(10_004)) && untold.may_be_the_last(at(10_005)));
    let probe = untold.enter(at(10_005)).expect("a probe");
    assert!(!untold.may_be_the_last(at(20_004)), "only one");
    let refusal = untold.check(at(10_006)).expect_err("it waits");
    assert_eq!(refusal.until_at_last(), Some(11_006), "the probe may be answered soon");
    assert!(untold.may_be_the_last(at(20_005)), "another beside one that has no answer for so long");
    let mut told_meanwhile = untold.clone();
    told_meanwhile.failure((&limited(Some(30), None), None), u64::MAX, at(10_006));
    let refusal = told_meanwhile.check(at(10_006)).expect_err("it waits");
    assert_eq!(refusal.until_at_last(), Some(40_006), "clients are told the truth");
    untold.success(probe, at(10_007));
    assert_eq!(untold.check(at(10_008)), Ok(()), "it was too long a guess");
    let refused = Failure::new(FailureClass::Unauthorized, Phase::Head, "");
    assert!(!waits(&refused).may_be_the_last(at(39_000)));
    let doubtful = Failure { blame: Blame::Unclear, ..refused.clone() };
    let mut in_doubt = waits(&doubtful);
    assert!(in_doubt.may_be_the_last(at(5)) && in_doubt.check(at(600_004)).is_err());
    let probe = in_doubt.enter(at(5)).expect("a probe");
    assert!(in_doubt.may_be_the_last(at(6)), "not one alone: it may be refused again");
    in_doubt.probe_lost(probe);
    in_doubt.failure((&limited(Some(30), None), None), u64::MAX, at(7));
    assert!(!in_doubt.may_be_the_last(at(30_006)) && in_doubt.may_be_the_last(at(30_007)), "what is told holds");
    let mut sure = waits(&refused);
    sure.failure((&doubtful, None), u64::MAX, at(9));
    assert!(!sure.may_be_the_last(at(600_004)), "no guess shortens what is told");
    let requests = Failure { blame: Blame::Request, ..refused };
    assert_eq!(waits(&requests).check(at(6)), Ok(()), "it would be refused anywhere");
    for told in [limited(Some(40), None), limited(None, Some(LimitSpan::Day))] {
        assert!(!waits(&told).may_be_the_last(at(39_000)), "what it says is kept");
    }
    let unpaid = Failure::new(FailureClass::PaymentRequired, Phase::Head, "");
    assert!(!waits(&unpaid).may_be_the_last(at(39_000)));
}

#[test]
fn a_probe_says_nothing_of_a_later_wait() {
    let mut cooldown = Cooldown::default();
    let fails =
        |cooldown: &mut Cooldown, probe, now| cooldown.failure((&limited(None, None), probe), u64::MAX, at(now));
    fails(&mut cooldown, None, 0);
    let slow = cooldown.enter(at(1_000)).expect("a probe");
    assert_eq!(cooldown.enter(at(11_000)), Some(slow), "the last resort goes beside it");
    assert_eq!(fails(&mut cooldown, Some(slow), 11_001), Some(2_000));
    assert_eq!(fails(&mut cooldown, Some(slow), 11_002), Some(2_000), "both were refused for one limit");
    let second = cooldown.enter(at(13_002)).expect("a probe");
    cooldown.probe_lost(slow);
    assert!(cooldown.check(at(13_003)).is_err(), "the second one is out");
    cooldown.success(slow, at(13_003));
    assert!(cooldown.check(at(13_003)).is_err(), "it was answered before, maybe");
    cooldown.success(second, at(13_004));
    assert_eq!((cooldown.check(at(13_004)), fails(&mut cooldown, None, 13_005)), (Ok(()), Some(1_000)));
    cooldown.success(second, at(13_006));
    assert!(cooldown.check(at(13_007)).is_err(), "that was of the one before");
    let mut told = Cooldown::default();
    let probes = [0, 2_000].map(|now| {
        told.close_for(Duration::from_secs(1), at(now));
        let probe = told.enter(at(now + 1_000)).expect("a probe");
        told.success(probe, at(now + 1_001));
        probe
    });
    assert_eq!(probes, [1, 2], "what is told without a failure is a wait as well");
}

#[test]
fn one_client_that_is_refused_keeps_no_key_in_doubt_that_serves_all_others() {
    let doubtful = Failure { blame: Blame::Unclear, ..Failure::new(FailureClass::Unauthorized, Phase::Head, "") };
    let mut cooldown = Cooldown::default();
    cooldown.failure((&doubtful, None), u64::MAX, at(0));
    let (good, odd) = (cooldown.enter(at(1)).expect("a probe"), cooldown.enter(at(2)));
    cooldown.failure((&doubtful, odd), u64::MAX, at(3));
    cooldown.success(good, at(4));
    assert!(cooldown.is_over());
}

#[test]
fn a_probe_that_succeeds_is_over_even_if_a_wait_was_told_meanwhile() {
    let mut cooldown = Cooldown::default();
    cooldown.failure((&limited(Some(10), None), None), u64::MAX, at(0));
    let probe = cooldown.enter(at(10_000)).expect("a probe");
    cooldown.failure((&limited(Some(30), None), None), u64::MAX, at(10_001));
    cooldown.success(probe, at(10_002));
    assert!(cooldown.check(at(40_000)).is_err(), "what is told holds");
    assert_eq!(cooldown.check(at(40_001)), Ok(()), "and then nobody is waited for");
    let probe = cooldown.enter(at(40_001));
    assert_eq!(cooldown.failure((&limited(None, None), probe), u64::MAX, at(40_002)), Some(1_000), "it begins anew");
}

#[test]
fn a_limit_that_was_told_beside_a_guess_is_tested_by_one_and_outlives_a_refused_key() {
    let refused = Failure::new(FailureClass::Unauthorized, Phase::Head, "");
    let doubtful = Failure { blame: Blame::Unclear, ..refused.clone() };
    let mut cooldown = Cooldown::default();
    cooldown.failure((&doubtful, None), u64::MAX, at(0));
    cooldown.failure((&limited(Some(30), None), None), u64::MAX, at(1));
    assert!(!cooldown.may_be_the_last(at(30_000)) && cooldown.may_be_the_last(at(30_001)));
    assert!(
        cooldown.enter(at(30_001)).is_some() && !cooldown.may_be_the_last(at(30_002)),
        "one alone, as long as nobody has seen it over"
    );
    let mut told = Cooldown::default();
    told.failure((&limited(Some(300), None), None), u64::MAX, at(0));
    told.failure((&refused, None), u64::MAX, at(1));
    told.forgive_key();
    assert!(told.check(at(299_999)).is_err() && told.check(at(300_000)).is_ok(), "a new key is under the old limit");
    assert!(told.enter(at(300_000)).is_some(), "and somebody is to find that out");
    let mut untold = Cooldown::default();
    for _ in 0..9 {
        let probe = untold.enter(at(0));
        untold.failure((&limited(None, None), probe), u64::MAX, at(0));
    }
    untold.failure((&refused, None), u64::MAX, at(1));
    untold.forgive_key();
    assert!(untold.check(at(59_999)).is_err() && untold.may_be_the_last(at(10_000)), "a guess remains one");
    let mut forgiven = Cooldown::default();
    forgiven.failure((&refused, None), u64::MAX, at(1));
    assert!(forgiven.enter(at(600_001)).is_some());
    forgiven.forgive_key();
    assert!(forgiven.is_over() && forgiven.may_be_the_last(at(600_002)), "nor is its probe waited for");
}

#[test]
fn an_account_without_money_rests_an_hour() {
    let mut cooldown = Cooldown::default();
    let unpaid = Failure::new(FailureClass::PaymentRequired, Phase::Head, "");
    assert_eq!(cooldown.failure((&unpaid, None), u64::MAX, at(0)), Some(3_600_000));
}

#[test]
fn a_refused_key_rests_ten_minutes() {
    let mut cooldown = Cooldown::default();
    cooldown.failure((&Failure::new(FailureClass::Unauthorized, Phase::Head, ""), None), u64::MAX, at(5));
    let refused = Refusal::CoolingDown { until: 600_005, reason: FailureClass::Unauthorized, last_resort: None };
    assert_eq!(cooldown.check(at(600_004)), Err(refused));
    assert_eq!(cooldown.check(at(600_005)), Ok(()));
}
