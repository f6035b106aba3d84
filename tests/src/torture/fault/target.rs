//! Where faults are injected, and how.

use std::{process::Stdio, time::Duration};

use feedmill_events::Projection;
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use tokio::{process::Command, time::sleep};

use super::{
    kind::{Fault, Server},
    timeline::Timeline,
};
use crate::{
    jetstream,
    kit::{Mode, Nats, Postgres, Process, Routes, Stack, Target, service},
};

pub enum FaultTarget<'a> {
    Service(&'a mut Process, &'a Routes),
    Postgres(&'a mut Postgres),
    Nats(&'a mut Nats),
    Stream(&'a Target),
    Rebuild(&'a Target),
}

impl<'a> FaultTarget<'a> {
    /// Every part of the stack.
    pub fn all(stack: &'a mut Stack) -> Vec<Self> {
        let (target, routes) = (&stack.target, &stack.routes);
        let services = stack.write.iter_mut().chain(&mut stack.projectors);
        let services = services.chain(&mut stack.read);
        let mut all: Vec<_> = services
            .map(|process| {
                let routes = &routes[&process.name];
                FaultTarget::Service(process, routes)
            })
            .collect();
        all.extend(stack.postgres.as_mut().map(FaultTarget::Postgres));
        all.push(FaultTarget::Nats(&mut stack.nats));
        all.push(FaultTarget::Stream(target));
        all.push(FaultTarget::Rebuild(target));
        all
    }

    /// A random fault of this part.
    pub fn choose(&self, rng: &mut StdRng) -> Fault {
        match self {
            Self::Service(..) => Fault::of_service(rng),
            Self::Postgres(_) => Fault::of_postgres(rng),
            Self::Nats(..) => Fault::of_nats(rng),
            Self::Stream(_) => Fault::DeleteMessage,
            Self::Rebuild(_) => Fault::Rebuild,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Service(process, _) => &process.name,
            Self::Nats(nats) => &nats.process.name,
            Self::Postgres(_) => "postgres",
            Self::Stream(_) => "the stream",
            Self::Rebuild(_) => "projector",
        }
    }

    /// Injects a fault and waits for its end. Returns the event that was deleted from the stream, if any.
    pub async fn inject(
        self,
        fault: Fault,
        mut rng: StdRng,
        timeline: Timeline,
    ) -> Option<jetstream::Place> {
        let duration = Duration::from_millis(rng.gen_range(200..5_000));
        let down = Duration::from_millis(rng.gen_range(0..2_500));
        let what = format!("{}: {fault:?}", self.name());
        match fault {
            Fault::Kill | Fault::Restart | Fault::Wipe => {
                timeline.print(&format!("{what}, down for {} ms", down.as_millis()));
            }
            Fault::DeleteMessage | Fault::Rebuild => {}
            _ => timeline.print(&format!("{what} for {} ms", duration.as_millis())),
        }
        match self {
            Self::Service(process, routes) => {
                inject_into_service(process, routes, fault, duration, down).await;
            }
            Self::Nats(nats) => inject_into_nats(nats, fault, duration, down).await,
            Self::Postgres(postgres) => match fault {
                Fault::Pause => postgres.pause(duration).await,
                fault => {
                    if fault == Fault::Kill {
                        postgres.kill();
                    } else {
                        postgres.stop().await;
                    }
                    sleep(down).await;
                    postgres.launch().await;
                    timeline.print("postgres accepts connections again");
                }
            },
            Self::Stream(target) => {
                let deleted = jetstream::delete_random(target.nats_url(), &mut rng).await;
                timeline.print(&match &deleted {
                    Ok((partition, seq)) => {
                        format!("event {partition}:{seq} deleted from the stream")
                    }
                    Err(error) => format!("no event deleted from the stream: {error}"),
                });
                return deleted.ok();
            }
            Self::Rebuild(target) => rebuild(target, &mut rng, timeline).await,
        }
        None
    }
}

async fn inject_into_service(
    process: &mut Process,
    routes: &Routes,
    fault: Fault,
    duration: Duration,
    down: Duration,
) {
    let set_mode = async |server, mode| {
        let proxy = match server {
            Server::Postgres => &routes.postgres,
            Server::Nats => &routes.nats,
        };
        proxy.set(mode);
        sleep(duration).await;
        proxy.set(Mode::Open);
    };
    match fault {
        Fault::Pause => pause(process, duration).await,
        Fault::Cut(server) => set_mode(server, Mode::Cut).await,
        Fault::Hold(server) => set_mode(server, Mode::Hold).await,
        Fault::Slow(server, delay) => set_mode(server, Mode::Slow(delay)).await,
        Fault::Restart if process.ended().is_none() => {
            process.stop().await;
            sleep(down).await;
            process.launch();
        }
        // A service that has exited by itself is left as it is, and reported at the end.
        _ if process.ended().is_some() => {}
        _ => {
            process.kill();
            sleep(down).await;
            process.launch();
        }
    }
}

async fn inject_into_nats(nats: &mut Nats, fault: Fault, duration: Duration, down: Duration) {
    match fault {
        Fault::Pause => return pause(&nats.process, duration).await,
        Fault::Restart => drop(nats.process.stop().await),
        _ => nats.kill(),
    }
    if fault == Fault::Wipe {
        nats.wipe();
    }
    sleep(down).await;
    nats.process.launch();
}

async fn pause(process: &Process, duration: Duration) {
    process.signal("STOP");
    sleep(duration).await;
    process.signal("CONT");
}

/// A subcommand of the projector that changes a read model. It may fail because of other faults; the checks at the
/// end include the tables that it leaves behind.
async fn rebuild(target: &Target, rng: &mut StdRng, timeline: Timeline) {
    let projection = *Projection::ALL.choose(rng).expect("a projection");
    let verbs = ["rebuild", "rebuild", "rebuild", "rollback", "drop-previous"];
    let verb = verbs.choose(rng).unwrap_or(&"rebuild");
    let killed_after = rng.gen_bool(0.7).then(|| rng.gen_range(30..1_500));
    let child = Command::new(service("projector"))
        .args([verb, projection.name()])
        .env_clear()
        .envs(target.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the projector's subcommand");
    let timeout = Duration::from_millis(killed_after.unwrap_or(60_000));
    let ended = tokio::time::timeout(timeout, child.wait_with_output()).await;
    timeline.print(&match ended {
        Err(_) => format!("projector {verb} {projection}: killed after {timeout:?}"),
        Ok(Err(error)) => format!("projector {verb} {projection}: {error}"),
        Ok(Ok(output)) => {
            let text = [output.stderr, output.stdout].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            let last = text.trim().lines().next_back().unwrap_or_default();
            format!("projector {verb} {projection}: {}; {last}", output.status)
        }
    });
}
