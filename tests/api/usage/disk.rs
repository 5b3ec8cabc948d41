//! A long memory: full days on disk, kills while usage is written, damage.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use api_together::persistence::{Change, SledStore, Store};
use api_together::types::{Moment, TokenKinds};
use api_together::usage::{CellNames, OperationKind, UsageCounts, UsageLedger};
use serde_json::json;

use super::usage;
use crate::helpers::{App, Launch, Reply, Upstream, config_of, eventually};

const DAY_MS: i64 = 86_400_000;

/// Full days: as many cells as a day has room for, each in three hours.
const DAYS: i64 = 12;
const CELLS: u64 = 10_000;
const HOURS: [i64; 3] = [0, 7, 14];

fn today() -> i64 {
    let wall = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis();
    i64::try_from(wall).expect("our time") / DAY_MS * DAY_MS
}

/// Writes days until yesterday, and one that is too old to be kept.
fn write_days(folder: &Path) {
    let store = SledStore::open(folder, false).expect("opens");
    let moment = |wall: i64| Moment { wall, hour: wall, day: wall / DAY_MS * DAY_MS };
    let mut ledger = UsageLedger::open(moment(today() - 500 * DAY_MS), 1, false);
    let save = |ledger: &mut UsageLedger| {
        let changes: Vec<Change> = ledger.take_changes().into_iter().map(Change::Usage).collect();
        store.commit(&changes).expect("commits");
    };
    let add = |ledger: &mut UsageLedger, nth: u64, at: i64| {
        let names =
            [format!("key-{}", nth % 1_000), format!("api-{}", nth % 50), format!("model-{}", nth / 50), "curl".into()];
        let names = names.each_ref().map(String::as_str);
        let tokens = TokenKinds { input: 20_000 + nth, output: 700, ..TokenKinds::default() };
        let counts = UsageCounts { requests: 1, tokens, ..UsageCounts::default() };
        ledger.add(&CellNames { names, kind: OperationKind::Completions, proven: true }, &counts, moment(at));
    };
    add(&mut ledger, 1, today() - 500 * DAY_MS);
    for day in (1..=DAYS).rev() {
        for hour in HOURS {
            (0..CELLS).for_each(|nth| add(&mut ledger, nth, today() - day * DAY_MS + hour * 3_600_000));
            save(&mut ledger);
        }
    }
    ledger.begin(moment(today()));
    save(&mut ledger);
}

/// The bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        found => found.map_or(0, |found| found.len()),
    };
    fs::read_dir(folder).expect("a folder").map_while(Result::ok).map(of).sum()
}

#[test]
fn full_days_take_the_room_of_their_data_and_outlive_kills_and_damage() {
    let upstream = Upstream::always(Reply::chat("1"));
    let launch = Launch::new(&config_of(&[&upstream])).env("TZ", "UTC");
    let data = launch.folder.join("data");
    write_days(&data);
    // A day has about 0.3 MB. The hours of two days, and what sled keeps for itself, come once.
    let bytes = size(&data);
    assert!(bytes < 25 << 20, "{} MB", bytes >> 20);

    let query = format!("from={}", (today() - 600 * DAY_MS) / 1_000);
    let all = u64::try_from(DAYS).expect("few") * CELLS * 3;
    let ask = |app: &App| usage(app, &query);
    let app = launch.start();
    let before = ask(&app);
    assert_eq!((&before["total"]["requests"], before["usage"].as_array().map(Vec::len)), (&json!(all), Some(12)));
    let by_key = usage(&app, &format!("{query}&by=month&group=key"));
    assert_eq!(by_key["total"], before["total"]);
    let one = usage(&app, &format!("{query}&group=model,api&key=key-7"));
    assert_eq!(one["total"]["requests"], json!(all / 1_000));
    let app = app.kill_and_restart();
    assert_eq!(ask(&app), before);
    let app = app.stop_and_restart();
    assert_eq!(ask(&app), before);

    // Cut in the middle, as by a full disk or a broken copy.
    let third = today() - 3 * DAY_MS;
    let files = || fs::read_dir(data.join("usage")).expect("a folder").map_while(Result::ok).map(|file| file.path());
    let is_third = |path: &Path| path.to_string_lossy().contains(&format!("day-{third}-"));
    let file = files().find(|path| is_third(path)).expect("a file for each day");
    let bytes = fs::read(&file).expect("reads");
    fs::write(&file, &bytes[..bytes.len() / 2]).expect("writes");
    let app = app.kill_and_restart();
    assert_eq!(ask(&app)["total"]["requests"], json!(all - 3 * CELLS));
    app.logged(&file.file_name().expect("a name").to_string_lossy());
    assert!(files().any(|path| is_third(&path) && path.extension().is_some_and(|end| end == "damaged")));
    assert_eq!(ask(&app)["usage"].as_array().map(Vec::len), Some(11));
    // A good copy counts again.
    fs::write(&file, &bytes).expect("writes");
    assert_eq!(ask(&app), before);
}

#[test]
fn a_kill_while_an_hour_is_written_loses_a_moment_and_doubles_nothing() {
    const LIVES: u32 = 4;
    /// Longer than usage waits for the disk, on a busy machine.
    const MOMENT: Duration = Duration::from_millis(1_500);
    let upstream = Upstream::always(Reply::chat("1"));
    let mut config = config_of(&[&upstream]);
    // Long names make an hour large soon.
    let models: Vec<String> = (0..300).map(|nth| format!("{nth:-<120}")).collect();
    config["apis"][0]["models"] = json!(models);
    let mut launch = Launch::new(&config).env("TZ", "UTC");
    let hours = launch.folder.join("data/usage");
    let written = || {
        let files = fs::read_dir(&hours).into_iter().flatten().map_while(Result::ok);
        files.filter(|file| file.file_name().to_string_lossy().starts_with("hour-")).map(|file| file.path()).max()
    };
    let (mut least, mut most) = (0, 0);
    for life in 0..LIVES {
        let app = launch.start();
        let counted = usage(&app, "")["total"]["requests"].as_u64().expect("a number");
        assert!((least..=most).contains(&counted), "life {life}: {counted} of {least} to {most}");
        let (sent, answered) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        let (client, before) = (app.client(), written());
        launch = thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let nth = sent.fetch_add(1, Ordering::SeqCst);
                        let model = &models[usize::try_from(nth).expect("few") % models.len()];
                        let body = json!({ "model": model, "messages": [] }).to_string();
                        match client.try_request("POST", "/v1/chat/completions", body.as_bytes()) {
                            Ok(answer) => drop(answer.json()),
                            Err(_) => return,
                        }
                        answered.lock().expect("whole").push(Instant::now());
                    }
                });
            }
            eventually("an hour is written whole", || written() != before);
            app.kill()
        });
        let safe = Instant::now() - MOMENT;
        let answered = answered.into_inner().expect("whole");
        least = counted + answered.iter().filter(|at| **at < safe).count() as u64;
        most = counted + sent.load(Ordering::SeqCst);
    }
    let app = launch.start();
    let counted = usage(&app, "")["total"]["requests"].as_u64().expect("a number");
    assert!((least..=most).contains(&counted), "{counted} of {least} to {most}");
    assert!(usage(&app, "by=hour")["total"]["requests"].as_u64().is_some_and(|hours| hours <= counted));
}
