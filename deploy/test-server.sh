# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# The PostgreSQL server of `deploy/test --fast`, which stays between calls. Sourced after lib.sh.
#
# The server listens on a random port of 127.0.0.1. Its database `queries` has all migrations applied: sqlx checks
# queries against it at compile time. Everything in it can be created anew, so fsync is off, and a server that
# does not start, or that other migrations or another PostgreSQL made, is replaced.

server_folder=$home/test-postgres # the data folder, or for root a symbolic link to it
server_log=$home/logs/test-postgres.log
server_lock=$home/test.lock
server_port=

# server_lock_exclusively: one `--fast` at a time, since each may replace the server. The lock is on file descriptor 9,
# which no child inherits, so it ends with this script, however that ends.
server_lock_exclusively() {
    mkdir -p "$home/logs" 2>/dev/null || die "cannot write to $root"
    { exec 9>>"$server_lock"; } 2>/dev/null || die "cannot write to $home; does it belong to another user?"
    flock -n 9 || {
        say 'waiting for another deploy/test --fast in this folder'
        flock 9
    }
}

migrations_hash() { find migrations -name '*.sql' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16; }

# What the server's contents depend on. After a reboot the server is replaced too: without fsync, a crash of the
# machine may have damaged it.
server_identity() {
    migrations_hash
    sha256sum deploy/dev-schema deploy/test-server.sh
    "$pg_bin/postgres" --version
    cat /proc/sys/kernel/random/boot_id
}

# server_pid: the process id of the running server. postmaster.pid may be stale, and its process id in use by
# another program.
server_pid() {
    local pid
    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "$data" || return 1
    printf '%s' "$pid"
}

server_stop() {
    local pid
    pid=$(server_pid) || return 0
    kill -INT "$pid" 2>/dev/null || true
    for _ in {1..100}; do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    sleep 0.5
}

server_url() { printf 'postgres://feedmill@127.0.0.1:%s/%s' "$server_port" "$1"; }

# server_answers: whether the server of this folder accepts connections; sets server_port.
server_answers() {
    server_pid >/dev/null || return 1
    server_port=$(sed -n 4p "$data/postmaster.pid" 2>/dev/null)
    [[ $(sql "$(server_url postgres)" -c 'SHOW data_directory' 2>/dev/null) == "$data" ]]
}

# server_launch: starts the server in the data folder; fails if it does not accept connections within 30 s.
server_launch() {
    local pid
    setsid "${pg_as[@]}" "$pg_bin/postgres" -D "$data" -p "$(random_port)" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c fsync=off -c timezone=UTC -c log_timezone=UTC "${pg_test_options[@]}" \
        </dev/null >"$server_log" 2>&1 9>&- &
    pid=$!
    disown "$pid"
    for _ in {1..300}; do
        ! server_answers || return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

server_discard() {
    server_stop
    rm -rf "$data" "$data.new" "$server_folder"
}

server_create() {
    say 'creating a PostgreSQL server for tests in .feedmill; deploy/test --stop removes it'
    server_discard
    pg_place "$server_folder" feedmill-test
    pg_create "$data" "$(random_hex 16)" "$server_log" trust
    server_launch || die "PostgreSQL does not start: $(last_error "$server_log"); see $server_log"
    sql "$(server_url postgres)" -c 'CREATE DATABASE queries'
    DATABASE_URL=$(server_url queries) deploy/dev-schema || {
        server_discard
        die 'the migrations do not apply to an empty database, see above'
    }
    server_identity >"$home/test-postgres.id"
}

# Databases that killed tests have left.
server_drop_leftovers() {
    local name
    while read -r name; do
        [[ ! $name ]] || sql "$(server_url postgres)" -c "DROP DATABASE IF EXISTS \"$name\" WITH (FORCE)" || true
    done < <(sql "$(server_url postgres)" -c "SELECT datname FROM pg_database
        WHERE NOT datistemplate AND datname NOT IN ('postgres', 'queries')")
}

# server_ensure: starts or replaces the server where necessary. Exports TEST_DATABASE_URL, with its superuser, and sets
# queries_url. Needs need_tools postgres first.
server_ensure() {
    server_lock_exclusively
    pg_user keep
    data=$(readlink -m "$server_folder")
    if [[ ! -d $data || $(server_identity) != "$(cat "$home/test-postgres.id" 2>/dev/null)" ]]; then
        server_create
    elif server_answers; then
        server_drop_leftovers
    else
        server_stop
        if server_launch; then server_drop_leftovers; else server_create; fi
    fi
    export TEST_DATABASE_URL
    TEST_DATABASE_URL=$(server_url postgres)
    # shellcheck disable=SC2034 # used by deploy/test
    queries_url=$(server_url queries)
}

# sqlx's macros run when a crate is compiled, and cargo does not know that they depend on the schema. So, where the
# target folder was last used with other migrations: mark the crates with queries as changed.
touch_changed_queries() {
    local mark=$CARGO_TARGET_DIR/migrations.hash hash
    hash=$(migrations_hash)
    [[ $(cat "$mark" 2>/dev/null) != "$hash" ]] || return 0
    # shellcheck disable=SC2046 # one word for each file
    touch $(files_to_touch)
    mkdir -p "$CARGO_TARGET_DIR"
    echo "$hash" >"$mark"
}
