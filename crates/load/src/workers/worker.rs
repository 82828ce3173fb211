//! `dyno load --worker`: one worker, told by its standard input what to do.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::Wishes;
use super::protocol::{
    OutgoingMessage, PhaseOrder, PhaseResult, Preparation, WorkerCommand, WorkerFacts, WorkerMessage, WorkerOutput, WorkerResult,
};
use crate::client::clock;
use crate::client::drive::EventLoop;
use crate::client::phase::{PhaseEnd, PhasePlan};
use crate::client::stop::StopSignal;
use crate::event_sink::EventSink;
use crate::measurement::{MeasureError, Measured, PartSetting, RecordTarget, measure_part};
use crate::phase_driver::{PhaseDriver as _, PromptSupply};
use dyno_measure::json_error;
use dyno_measure::plan::Part;
use dyno_measure::sidecar::Sidecar;

/// Runs the worker: 0 when it did as it was told, 2 when it could not be part of the load.
pub(crate) fn main() -> ExitCode {
    // An interrupt from the terminal reaches the coordinator as well, which says what becomes of it.
    let Ok(stop) = StopSignal::on_signals() else { return ExitCode::from(2) };
    let mut input = BufReader::new(io::stdin());
    let mut line = Vec::new();
    let read = input.read_until(b'\n', &mut line);
    let Ok((outgoing, writer)) = writer() else { return ExitCode::from(2) };
    let done = read
        .map_err(|error| error.to_string())
        .and_then(|_| {
            serde_json::from_slice::<Preparation>(&line)
                .map_err(|error| format!("What it is to do is not understood: {}.", json_error::words(&error)))
        })
        .and_then(|preparation| work(preparation, input, &outgoing, &stop));
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = outgoing.send(WorkerMessage::Refused { reason }.into());
            ExitCode::from(2)
        }
    };
    // the thread that reads commands still holds its own way out
    let _ = outgoing.send(WorkerOutput::End);
    let _ = writer.join();
    code
}

/// Carries out the coordinator's messages; an error is a sentence for the coordinator.
fn work(
    preparation: Preparation,
    input: BufReader<io::Stdin>,
    outgoing: &Sender<WorkerOutput>,
    stop: &StopSignal,
) -> Result<(), String> {
    let Preparation { version, plan, part, id_prefix, core } = preparation;
    if version != env!("CARGO_PKG_VERSION") {
        return Err(format!("It is of version {}, and the load of {version}.", env!("CARGO_PKG_VERSION")));
    }
    if let Some(core) = core {
        keep_to(core);
    }
    let wishes = Arc::new(Wishes::default());
    let commands =
        listen(input, Arc::clone(&wishes), outgoing.clone()).map_err(|error| format!("A thread is missing: {error}."))?;
    let telling = outgoing.clone();
    let emit: EventSink = Rc::new(move |kind| {
        let _ = telling.send(WorkerMessage::Event { kind }.into());
    });
    let setting = PartSetting { part, id_prefix, authority: None, records: RecordTarget::Portions(outgoing.clone()) };
    let told = outgoing.clone();
    let measured = measure_part(&plan, setting, &emit, stop, |driver, tokens, _| {
        driver.wishes = Some(wishes);
        let facts = WorkerFacts {
            unix_offset: driver.clock.unix(0),
            knows_template: tokens.knows_template(),
            trace: driver.requests().planned(None),
            supply: PromptSupply::from(&driver.requests().prompts),
        };
        let _ = told.send(WorkerMessage::Ready(facts).into());
        (obey(driver, part, &commands, &told), Sidecar::default())
    });
    let Measured { circumstances, .. } = measured.map_err(|error: MeasureError| error.to_string())?;
    let result = WorkerResult {
        client: circumstances.client,
        notes: circumstances.notes,
        invalid: circumstances.invalid,
        disagreement: circumstances.disagreement,
    };
    let _ = outgoing.send(WorkerMessage::Finished(Box::new(result)).into());
    Ok(())
}

/// Does one thing after the other until nothing follows.
fn obey(driver: &mut EventLoop<'_>, part: Part, commands: &Receiver<WorkerCommand>, outgoing: &Sender<WorkerOutput>) -> PhaseEnd {
    loop {
        let message = match commands.recv() {
            Ok(WorkerCommand::Open { connections }) => WorkerMessage::Opened { ending: driver.open(connections, part) },
            Ok(WorkerCommand::Run(order)) => WorkerMessage::Ended(run(driver, part, &order)),
            Ok(WorkerCommand::ShiftPrompts { tokens }) => {
                driver.shift_prompts(tokens);
                continue;
            }
            Ok(WorkerCommand::Clock | WorkerCommand::Decide { .. } | WorkerCommand::Stop { .. }) => continue,
            Ok(WorkerCommand::Finish) => return PhaseEnd::Done,
            Err(_) => return PhaseEnd::Stopped("The process that leads the load is gone.".to_owned()),
        };
        let _ = outgoing.send(message.into());
    }
}

fn run(driver: &mut EventLoop<'_>, part: Part, order: &PhaseOrder) -> PhaseResult {
    if let Some(wishes) = &driver.wishes {
        wishes.begin(order.number);
    }
    let phase = PhasePlan {
        load_point: order.load_point,
        phase: order.phase,
        load: &order.load,
        count: order.count,
        duration: order.duration_ns,
        ramp: order.ramp_ns,
        seed: order.seed,
        first_prompt: order.first_prompt,
        part,
        begin: Some(order.begin),
    };
    let ending = driver.run(&phase);
    PhaseResult { ending, issued: driver.issued(), late: driver.late, supply: driver.supply() }
}

/// Reads commands on a thread of its own, so that clock and wishes are answered while the event loop works. Its end is the
/// coordinator's.
fn listen(
    input: BufReader<io::Stdin>,
    wishes: Arc<Wishes>,
    outgoing: Sender<WorkerOutput>,
) -> io::Result<Receiver<WorkerCommand>> {
    let (commands, receiver) = channel();
    std::thread::Builder::new().name("commands".to_owned()).spawn(move || {
        for line in input.lines() {
            let received = clock::now();
            let Ok(command) = line.map_err(|_| ()).and_then(|line| serde_json::from_str(&line).map_err(|_| ())) else { break };
            match command {
                WorkerCommand::Clock => {
                    let _ = outgoing.send(WorkerOutput::Clock { received });
                }
                WorkerCommand::Decide { phase } => wishes.decide(phase),
                WorkerCommand::Stop { reason } => wishes.stop(reason),
                command => {
                    let _ = commands.send(command);
                }
            }
        }
        wishes.stop("The process that leads the load is gone.".to_owned());
    })?;
    Ok(receiver)
}

/// Writes what there is to say on a thread of its own, so that the event loop never waits for the reader.
fn writer() -> io::Result<(Sender<WorkerOutput>, JoinHandle<()>)> {
    let (outgoing, receiver) = channel::<WorkerOutput>();
    let thread = std::thread::Builder::new().name("telling".to_owned()).spawn(move || {
        let mut out = BufWriter::new(io::stdout().lock());
        while let Ok(next) = receiver.recv() {
            let mut next = Some(next);
            while let Some(message) = next {
                let is_end = matches!(message, WorkerOutput::End);
                if write(&mut out, message).is_err() || is_end {
                    let _ = out.flush();
                    return;
                }
                next = receiver.try_recv().ok();
            }
            if out.flush().is_err() {
                return;
            }
        }
    })?;
    Ok((outgoing, thread))
}

fn write(out: &mut impl Write, outgoing: WorkerOutput) -> io::Result<()> {
    let (message, records) = match outgoing {
        WorkerOutput::Message(message) => {
            let OutgoingMessage(message) = *message;
            (message, None)
        }
        WorkerOutput::Records(records) => {
            let announced =
                WorkerMessage::Records { replaces: records.replaces, lines: records.lines.len(), gaps: records.gaps.len() };
            (announced, Some(records))
        }
        WorkerOutput::End => return Ok(()),
        // what was written before is out of the way first
        WorkerOutput::Clock { received } => {
            out.flush()?;
            (WorkerMessage::Clock { received, answered: clock::now() }, None)
        }
    };
    serde_json::to_writer(&mut *out, &message)?;
    out.write_all(b"\n")?;
    if let Some(records) = records {
        out.write_all(&records.lines)?;
        out.write_all(&records.gaps)?;
    }
    Ok(())
}

/// Keeps this thread, and those that it begins, to one core. Where that is not permitted, it runs where there is room.
fn keep_to(core: usize) {
    let mut cores = rustix::thread::CpuSet::new();
    if core < rustix::thread::CpuSet::MAX_CPU {
        cores.set(core);
        let _ = rustix::thread::sched_setaffinity(None, &cores);
    }
}
