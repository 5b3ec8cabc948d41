//! The scenarios, and their figures.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::load::{self, LoadResult};
use super::report::{Against, Figure, Measured, Series};
use super::target::{BenchTarget, Setup, TargetKind};
use super::{BenchArgs, chat_body};

/// Between two events of a stream: 50 tokens a second.
const EVENT_GAP: Duration = Duration::from_millis(20);

/// … of very many: 20 tokens a second, so the load itself does not fill the machine.
const GAP_OF_MANY: Duration = Duration::from_millis(50);

/// Bytes of an image, as sent to a vision model.
const IMAGE: usize = 5 << 20;

/// Connections with large bodies.
const LARGE_CONNECTIONS: usize = 4;

/// One kind of load.
pub(crate) struct Scenario {
    /// The name for `--only`.
    pub(crate) name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Chat,
    Latency,
    Streams,
    ManyStreams,
    Large,
    Start,
}

impl Scenario {
    /// All scenarios, in the order of measurement.
    pub(crate) const ALL: [Scenario; 6] = [
        Scenario { name: "chat", kind: Kind::Chat },
        Scenario { name: "latency", kind: Kind::Latency },
        Scenario { name: "streams", kind: Kind::Streams },
        Scenario { name: "many-streams", kind: Kind::ManyStreams },
        Scenario { name: "large", kind: Kind::Large },
        Scenario { name: "start", kind: Kind::Start },
    ];

    pub(crate) const NAMES: [&str; 6] = ["chat", "latency", "streams", "many-streams", "large", "start"];

    fn title(&self, args: &BenchArgs) -> String {
        match self.kind {
            Kind::Chat => {
                format!("a {}-byte chat over {} connections, as fast as it goes", chat_body("").len(), args.connections)
            }
            Kind::Latency => format!("{} chats a second, each at its time", args.rate),
            Kind::Streams => format!("{} streams at once, an event each {} ms", args.streams, EVENT_GAP.as_millis()),
            Kind::ManyStreams => {
                format!("{} streams at once, an event each {} ms", args.many_streams, GAP_OF_MANY.as_millis())
            }
            Kind::Large => format!("a chat with an image of {} MiB, over {LARGE_CONNECTIONS} connections", IMAGE >> 20),
            Kind::Start => "from the start of the process to its first answer".to_owned(),
        }
    }

    /// Measures every target, in turns.
    pub(crate) fn measure(&self, args: &BenchArgs, upstream: SocketAddr, folder: &Path) -> io::Result<Measured> {
        let setup = Setup { key: args.key.as_deref(), accounts: args.accounts, upstream, folder };
        let all: Vec<TargetKind> = match self.kind {
            Kind::Start => args.all().into_iter().filter(TargetKind::can_be_started).collect(),
            Kind::Chat | Kind::Latency | Kind::Streams | Kind::ManyStreams | Kind::Large => args.all(),
        };
        let mut series: Vec<Series> = all.iter().map(|which| Series::new(which.name())).collect();
        if matches!(self.kind, Kind::Start) {
            for _ in 0..args.rounds {
                for (which, series) in all.iter().zip(&mut series) {
                    let (target, up) = BenchTarget::start(which, &setup)?;
                    series.add(start_figures(&target, up));
                }
            }
        } else {
            let targets =
                all.iter().map(|which| Ok(BenchTarget::start(which, &setup)?.0)).collect::<io::Result<Vec<_>>>()?;
            for _ in 0..args.rounds {
                for (target, series) in targets.iter().zip(&mut series) {
                    series.add(self.figures(target, args)?);
                }
            }
        }
        Ok(Measured { name: self.name, title: self.title(args), series })
    }

    fn figures(&self, target: &BenchTarget, args: &BenchArgs) -> io::Result<Vec<Figure>> {
        let time = args.time();
        let done = match self.kind {
            Kind::Chat => load::as_fast_as_it_goes(target, &chat_body(""), usize::from(args.connections), time)?,
            Kind::Large => {
                let image = format!(" data:image/png;base64,{}", "A".repeat(IMAGE));
                load::as_fast_as_it_goes(target, &chat_body(&image), LARGE_CONNECTIONS, time)?
            }
            Kind::Latency => load::at_a_rate(target, &chat_body(""), args.rate, time)?,
            Kind::Streams => load::streams(target, usize::from(args.streams), EVENT_GAP, time)?,
            Kind::ManyStreams => load::streams(target, usize::from(args.many_streams), GAP_OF_MANY, time)?,
            // Only the start is measured.
            Kind::Start => LoadResult::default(),
        };
        let each = match self.kind {
            Kind::Chat | Kind::Latency | Kind::Large | Kind::Start => "request",
            Kind::Streams | Kind::ManyStreams => "event",
        };
        let mut figures = vec![Figure::new(
            format!("{each}s a second"),
            done.count as f64 / done.seconds.max(1e-9),
            Against::Nothing,
        )];
        if let Some(cpu) = done.cpu.filter(|_| done.count > 0) {
            let micros = cpu.as_secs_f64() * 1e6 / done.count as f64;
            figures.push(Figure::new(
                format!("CPU, µs a{} {each}", if each == "event" { "n" } else { "" }),
                micros,
                Against::Rival,
            ));
        }
        figures.extend(times(done.times, if each == "event" { "delay" } else { "latency" }));
        figures.extend(done.memory.filter(|_| matches!(self.kind, Kind::ManyStreams)).map(resident));
        if done.failed > 0 {
            figures.push(Figure::new("failed".to_owned(), done.failed as f64, Against::Nothing));
        }
        Ok(figures)
    }
}

fn start_figures(target: &BenchTarget, up: Duration) -> Vec<Figure> {
    let first = Figure::new("first answer, ms".to_owned(), up.as_secs_f64() * 1e3, Against::Nothing);
    [first].into_iter().chain(target.memory().map(resident)).collect()
}

fn resident(bytes: u64) -> Figure {
    Figure::new("resident memory, MB".to_owned(), bytes as f64 / 1e6, Against::Nothing)
}

fn times(mut times: Vec<u64>, what: &str) -> Vec<Figure> {
    times.sort_unstable();
    let Some(last) = times.len().checked_sub(1) else { return Vec::new() };
    let at = |share: f64| times.get((last as f64 * share) as usize).copied().unwrap_or_default() as f64;
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)]
        .map(|(name, share)| Figure::new(format!("{what} {name}, µs"), at(share), Against::Direct))
        .to_vec()
}
