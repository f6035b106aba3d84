//! Where something can go wrong, and how it does.

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use tokio::{process::Command, time::sleep};

use super::{
    Chronicle,
    kind::{Kind, Server},
};
use crate::{
    harness::{Links, Postgres, Process, Stack, World, run, service, signal},
    proxy::Mode,
    stream,
};

pub enum Place<'a> {
    Service(&'a mut Process, &'a Links),
    Postgres(&'a mut Postgres),
    /// With JetStream's folder.
    Nats(&'a mut Process, PathBuf),
    Stream(&'a Stack),
    Rebuild(&'a Stack),
}

/// Whether `projector` knows this subcommand.
pub fn has_subcommand(world: &World, name: &str) -> bool {
    let help = run(
        &service("projector"),
        &["--help"],
        &world.stack().environment,
    );
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    help.lines()
        .any(|line| line.split_whitespace().next() == Some(name))
}

impl<'a> Place<'a> {
    /// PostgreSQL and NATS twice, since all depends on them.
    pub fn all(world: &'a mut World, rebuilds: bool) -> Vec<Self> {
        let jetstream = world.jetstream();
        let (stack, links) = (&world.stack, &world.links);
        let services = world.write.iter_mut().chain(&mut world.projectors);
        let services = services.chain(&mut world.read);
        let mut all: Vec<_> = services
            .map(|process| {
                let links = &links[&process.name];
                Place::Service(process, links)
            })
            .collect();
        all.extend(world.postgres.as_mut().map(Place::Postgres));
        all.push(Place::Nats(&mut world.nats, jetstream));
        all.push(Place::Stream(stack));
        if rebuilds {
            all.push(Place::Rebuild(stack));
        }
        all
    }

    pub fn choose(&self, rng: &mut StdRng) -> Kind {
        match self {
            Self::Service(..) => Kind::of_service(rng),
            Self::Postgres(_) => Kind::of_postgres(rng),
            Self::Nats(..) => Kind::of_nats(rng),
            Self::Stream(_) => Kind::DeleteMessage,
            Self::Rebuild(_) => Kind::Rebuild,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Service(process, _) | Self::Nats(process, _) => &process.name,
            Self::Postgres(_) => "postgres",
            Self::Stream(_) => "the stream",
            Self::Rebuild(_) => "projector",
        }
    }

    /// Until it is over. Returns which event was deleted from the stream, if any.
    pub async fn suffer(
        self,
        kind: Kind,
        mut rng: StdRng,
        chronicle: Chronicle,
    ) -> Option<stream::Place> {
        let time = Duration::from_millis(rng.gen_range(200..5_000));
        let away = Duration::from_millis(rng.gen_range(0..2_500));
        let what = format!("{}: {kind:?}", self.name());
        match kind {
            Kind::Kill | Kind::Restart | Kind::Wipe => {
                chronicle.say(&format!("{what}, away for {} ms", away.as_millis()));
            }
            Kind::DeleteMessage | Kind::Rebuild => {}
            _ => chronicle.say(&format!("{what} for {} ms", time.as_millis())),
        }
        match self {
            Self::Service(process, links) => {
                service_suffers(process, links, kind, time, away).await;
            }
            Self::Nats(process, folder) => nats_suffers(process, &folder, kind, time, away).await,
            Self::Postgres(postgres) => match kind {
                Kind::Pause => postgres.pause(time).await,
                kind => {
                    if kind == Kind::Kill {
                        postgres.kill();
                    } else {
                        postgres.stop().await;
                    }
                    sleep(away).await;
                    postgres.again().await;
                    chronicle.say("postgres answers again");
                }
            },
            Self::Stream(stack) => {
                let deleted = stream::delete_one(stack.nats_url(), &mut rng).await;
                chronicle.say(&match &deleted {
                    Ok((partition, seq)) => {
                        format!("event {partition}:{seq} deleted from the stream")
                    }
                    Err(error) => format!("nothing deleted from the stream: {error}"),
                });
                return deleted.ok();
            }
            Self::Rebuild(stack) => rebuild(stack, &mut rng, chronicle).await,
        }
        None
    }
}

async fn service_suffers(
    process: &mut Process,
    links: &Links,
    kind: Kind,
    time: Duration,
    away: Duration,
) {
    let proxy = |server| match server {
        Server::Postgres => &links.postgres,
        Server::Nats => &links.nats,
    };
    let bend = async |server, mode| {
        proxy(server).set(mode);
        sleep(time).await;
        proxy(server).set(Mode::Open);
    };
    match kind {
        Kind::Pause => pause(process, time).await,
        Kind::Cut(server) => bend(server, Mode::Cut).await,
        Kind::BlackHole(server) => bend(server, Mode::BlackHole).await,
        Kind::Slow(server, delay) => bend(server, Mode::Slow(delay)).await,
        Kind::Restart if process.ended().is_none() => {
            process.stop().await;
            sleep(away).await;
            process.launch();
        }
        // What has ended by itself stays so, to be told at the end.
        _ if process.ended().is_some() => {}
        _ => {
            process.kill();
            sleep(away).await;
            process.launch();
        }
    }
}

async fn nats_suffers(
    process: &mut Process,
    folder: &std::path::Path,
    kind: Kind,
    time: Duration,
    away: Duration,
) {
    match kind {
        Kind::Pause => return pause(process, time).await,
        Kind::Restart => drop(process.stop().await),
        _ => process.kill(),
    }
    if kind == Kind::Wipe {
        fs::remove_dir_all(folder).ok();
    }
    sleep(away).await;
    process.launch();
}

async fn pause(process: &Process, time: Duration) {
    let Some(pid) = process.pid() else { return };
    signal("STOP", &[pid]);
    sleep(time).await;
    signal("CONT", &[pid]);
}

/// What goes wrong around it may make it fail; what it leaves behind is looked at in the end.
async fn rebuild(stack: &Stack, rng: &mut StdRng, chronicle: Chronicle) {
    let names = [
        "profiles",
        "feed",
        "digest",
        "conversations",
        "notifications",
    ];
    let name = names.choose(rng).unwrap_or(&"feed");
    // Mostly a rebuild; what it left behind is taken back or thrown away now and then.
    let verbs = ["rebuild", "rebuild", "rebuild", "rollback", "drop-previous"];
    let verb = verbs.choose(rng).unwrap_or(&"rebuild");
    let killed_after = rng.gen_bool(0.7).then(|| rng.gen_range(30..1_500));
    let child = Command::new(service("projector"))
        .args([verb, name])
        .env_clear()
        .envs(stack.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the projector's subcommand");
    let patience = Duration::from_millis(killed_after.unwrap_or(60_000));
    let ended = tokio::time::timeout(patience, child.wait_with_output()).await;
    chronicle.say(&match ended {
        Err(_) => format!("projector {verb} {name}: killed after {patience:?}"),
        Ok(Err(error)) => format!("projector {verb} {name}: {error}"),
        Ok(Ok(output)) => {
            let said = [output.stderr, output.stdout].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            let last = said.trim().lines().next_back().unwrap_or_default();
            format!("projector {verb} {name}: {}; {last}", output.status)
        }
    });
}
